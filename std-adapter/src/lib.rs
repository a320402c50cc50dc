//! The host side of Clewline.
