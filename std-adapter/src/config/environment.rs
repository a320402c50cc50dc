//! Reads single settings out of environment variables: empty is unset, a bad value is a warning and then unset.

use std::cell::RefCell;
use std::env::VarError;
use std::time::Duration;

use super::setting::{Setting, Source, Warning};

/// The variables of a process, or of a test, and the warnings they caused so far.
pub(super) struct Environment<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    pub(super) warnings: Vec<Warning>,
}

/// Whether a refused value may be shown in its warning.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    Value,
    /// For values that may hold credentials.
    NameOnly,
}

/// The variables of this process. Those that are no UTF-8 count as unset, and are warned of.
#[derive(Debug, Default)]
pub(super) struct OfProcess {
    unreadable: RefCell<Vec<String>>,
}

impl OfProcess {
    pub(super) fn get(&self, name: &str) -> Option<String> {
        match std::env::var(name) {
            Ok(value) => Some(value),
            Err(VarError::NotPresent) => None,
            Err(VarError::NotUnicode(_)) => {
                let mut unreadable = self.unreadable.borrow_mut();
                if !unreadable.iter().any(|known| known == name) {
                    unreadable.push(name.to_owned());
                }
                None
            }
        }
    }

    /// One for each of those that were asked for.
    pub(super) fn warnings(self) -> impl Iterator<Item = Warning> {
        let unreadable = self.unreadable.into_inner().into_iter();
        unreadable.map(|name| Warning::new(name, None, "not UTF-8; taken as unset"))
    }
}

impl<'a> Environment<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, warnings: Vec::new() }
    }

    /// What finds variables.
    #[cfg(feature = "serde")]
    pub(super) fn lookup(&self) -> &'a dyn Fn(&str) -> Option<String> {
        self.lookup
    }

    /// The trimmed value of a variable; an empty one counts as unset (`configuration/common.md`).
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        let trimmed = value.trim();
        (!trimmed.is_empty()).then(|| trimmed.to_owned())
    }

    pub(super) fn warn(&mut self, name: &'static str, value: Option<&str>, problem: impl Into<String>) {
        self.warnings.push(Warning::new(name, value, problem));
    }

    /// The first of `names` that is set and can be read, with its value: specific names stand before general ones.
    pub(super) fn first<T>(
        &mut self,
        names: &[&'static str],
        show: Show,
        parse: impl Fn(&str, &mut Vec<String>) -> Result<T, String>,
    ) -> Option<(&'static str, T)> {
        for &name in names {
            let Some(text) = self.value(name) else { continue };
            let shown = (show == Show::Value).then_some(text.as_str());
            let mut remarks = Vec::new();
            let result = parse(&text, &mut remarks);
            for remark in remarks {
                self.warn(name, shown, remark);
            }
            match result {
                Ok(value) => return Some((name, value)),
                Err(problem) => self.warn(name, shown, format!("{problem}; the value is ignored")),
            }
        }
        None
    }

    /// Fills `slot` from the first of `names` that is set and can be read, and says whether there was one.
    pub(super) fn read<T>(
        &mut self,
        names: &[&'static str],
        show: Show,
        slot: &mut Setting<T>,
        parse: impl Fn(&str, &mut Vec<String>) -> Result<T, String>,
    ) -> bool {
        let found = self.first(names, show, parse);
        let is_found = found.is_some();
        if let Some((name, value)) = found {
            slot.offer(value, Source::Environment(name));
        }
        is_found
    }

    /// A whole number of at least `least`.
    pub(super) fn count(&mut self, names: &[&'static str], least: usize, slot: &mut Setting<usize>) {
        self.read(names, Show::Value, slot, |text, _| whole_number(text, least));
    }

    /// A whole number, where unset means "no limit".
    pub(super) fn limit(&mut self, names: &[&'static str], slot: &mut Setting<Option<usize>>) {
        self.read(names, Show::Value, slot, |text, _| whole_number(text, 0).map(Some));
    }

    /// A time in milliseconds.
    pub(super) fn milliseconds(&mut self, names: &[&'static str], slot: &mut Setting<Duration>) {
        self.read(names, Show::Value, slot, |text, _| milliseconds(text));
    }

    /// A time limit in milliseconds, where 0 means "no limit".
    pub(super) fn timeout(&mut self, names: &[&'static str], slot: &mut Setting<Option<Duration>>) {
        self.read(names, Show::Value, slot, |text, _| {
            milliseconds(text).map(|limit| Some(limit).filter(|l| !l.is_zero()))
        });
    }

    /// `true` in any case is true, everything else is false (`sdk-environment-variables.md`, "Boolean"), of which `meaning`
    /// tells whoever meant something else.
    pub(super) fn truth(&mut self, name: &'static str, meaning: &str) -> Option<bool> {
        let found = self.first(&[name], Show::Value, |text, remarks| {
            let is_true = text.eq_ignore_ascii_case("true");
            if !is_true && !text.eq_ignore_ascii_case("false") {
                remarks.push(format!("neither `true` nor `false`; taken as false{meaning}"));
            }
            Ok(is_true)
        });
        found.map(|(_, is_true)| is_true)
    }

    /// As [`truth`](Self::truth), from the first of `names` that is set.
    pub(super) fn boolean(&mut self, names: &[&'static str], slot: &mut Setting<bool>) {
        for &name in names {
            if let Some(is_true) = self.truth(name, "") {
                return slot.offer(is_true, Source::Environment(name));
            }
        }
    }
}

fn whole_number(text: &str, least: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number >= least => Ok(number),
        Ok(_) => Err(format!("must be at least {least}")),
        Err(_) => Err("not a whole number in range".to_owned()),
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_millis).map_err(|_| "not a whole number of milliseconds".to_owned())
}
