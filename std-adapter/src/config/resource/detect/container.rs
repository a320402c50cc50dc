//! The id of the container that the process is in, on Linux: from its control group, else from its mounts.

use std::path::Path;

use super::text;

/// The id, or `None` outside of containers and where the runtime hides it.
pub(super) fn id(root: &Path) -> Option<String> {
    let from_group = text(root, "proc/self/cgroup").and_then(|groups| from_cgroup(&groups));
    from_group.or_else(|| text(root, "proc/self/mountinfo").and_then(|mounts| from_mountinfo(&mounts)))
}

/// `/proc/self/cgroup`, version 1 and 2: lines of `hierarchy:controllers:path` (cgroups(7)).
fn from_cgroup(groups: &str) -> Option<String> {
    groups.lines().find_map(|line| from_path(line.splitn(3, ':').nth(2)?))
}

/// `/proc/self/mountinfo`: with a control group of version 2 the process sees its own as `/`, but runtimes mount the files of
/// a container that they keep by its id (proc_pid_mountinfo(5)).
fn from_mountinfo(mounts: &str) -> Option<String> {
    const FILES: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        let is_telling = FILES.contains(&place) || place.starts_with("/sys/fs/cgroup");
        if is_telling { from_path(root) } else { None }
    })
}

/// The last part of a path that is an id, alone or as in `docker-….scope` and `cri-containerd:…`. That of a sandbox is the
/// pod's.
fn from_path(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    (0..parts.len()).rev().find_map(|index| {
        let before = index.checked_sub(1).and_then(|before| parts.get(before));
        if before.is_some_and(|before| *before == "sandboxes") {
            return None;
        }
        let part = parts.get(index)?;
        let part = part.strip_suffix(".scope").unwrap_or(part);
        if is_fargate(part) {
            return Some((*part).to_owned());
        }
        let id = part.rsplit(['-', ':']).next()?;
        is_hex(id, 64).then(|| id.to_owned())
    })
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// AWS Fargate: 32 hexadecimal digits, a hyphen, and a number.
fn is_fargate(text: &str) -> bool {
    let Some((id, number)) = text.split_once('-') else { return false };
    is_hex(id, 32) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{from_cgroup, from_mountinfo, id};
    use crate::config::resource::detect::tests::root;

    const ID: &str = "dc64b5743252dbaef6e30521c34d6bbd1620c8ce65bdb7bf9e7143b61bb5b183";
    const POD: &str = "33a1b0b4c7e9bc3f0d1fc35c9e4f2b9d24c0e3bcf0a5b6c7d8e9f0a1b2c3d4e5";

    #[test]
    fn the_control_group_tells() {
        let pod = "kubepods/besteffort/pod5ef1d2a4-1c3e-4a1e-8e2c-0123456789ab";
        let table = [
            (format!("12:memory:/docker/{ID}\n11:cpu:/docker/{ID}"), Some(ID)),
            (format!("0::/system.slice/docker-{ID}.scope"), Some(ID)),
            (format!("1:name=systemd:/{pod}/{ID}"), Some(ID)),
            (format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope"), Some(ID)),
            (format!("0::/kubepods.slice/kubepods-pod1.slice/crio-{ID}.scope"), Some(ID)),
            (format!("1:cpu:/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{ID}"), Some(ID)),
            (format!("0::/machine.slice/libpod-{ID}.scope/container"), Some(ID)),
            (format!("1:cpu:/docker/{POD}/docker/{ID}"), Some(ID)),
            (format!("0::/docker/{ID}/init.scope"), Some(ID)),
            (
                "1:cpu:/ecs/task/0123456789abcdef0123456789abcdef-1234567890".to_owned(),
                Some("0123456789abcdef0123456789abcdef-1234567890"),
            ),
            ("0::/".to_owned(), None),
            ("0::/user.slice/user-1000.slice/session-3.scope".to_owned(), None),
            (format!("0::/docker-{}.scope", ID.to_uppercase()), None),
            (format!("0::/docker/{}", &ID[1..]), None),
            ("no colons here".to_owned(), None),
            (String::new(), None),
        ];
        for (text, expected) in table {
            assert_eq!(from_cgroup(&text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn otherwise_the_mounts_tell() {
        let docker =
            format!("678 655 254:1 /docker/containers/{ID}/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw");
        let podman = format!(
            "965 876 0:26 /containers/overlay-containers/{ID}/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw"
        );
        let sandbox = format!(
            "1026 1018 8:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/{POD}/hostname /etc/hostname rw - ext4 a rw"
        );
        let group = format!("1020 1018 0:30 /../cri-containerd-{ID}.scope /sys/fs/cgroup ro - cgroup2 cgroup rw");
        let other = format!("11 12 8:1 /data/{POD} /data/hostname rw - ext4 a rw");
        let table = [
            (format!("{other}\n{docker}"), Some(ID)),
            (podman, Some(ID)),
            (format!("{sandbox}\n{group}"), Some(ID)),
            (sandbox, None),
            (other, None),
            ("a b c".to_owned(), None),
            (String::new(), None),
        ];
        for (text, expected) in table {
            assert_eq!(from_mountinfo(&text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_files_are_those_of_the_process() {
        let mount = format!("1 2 8:1 /docker/containers/{ID}/hosts /etc/hosts rw - ext4 a rw\n");
        let inside = root("container", &[("proc/self/cgroup", "0::/\n"), ("proc/self/mountinfo", &mount)]);
        assert_eq!(id(inside.path()).as_deref(), Some(ID));
        assert_eq!(id(root("no-container", &[]).path()), None);
    }
}
