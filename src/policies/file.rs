//! Stand-in for policy files.

use std::{fs, io, path::PathBuf};

use crate::policy::PolicySet;

#[derive(Debug, Clone)]
pub struct Source {
    pub path: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts(Vec<u8>);

#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("read {path}: {source}")]
    Read { path: String, source: io::Error },
    #[error("not a policy")]
    Mistakes,
}

impl Source {
    pub fn read(&self) -> Result<Texts, PolicyError> {
        fs::read(&self.path)
            .map(Texts)
            .map_err(|source| PolicyError::Read { path: self.path.display().to_string(), source })
    }
}

pub fn embedded() -> PolicySet {
    PolicySet::default()
}

pub fn compile(texts: &Texts) -> Result<PolicySet, PolicyError> {
    if texts.0.starts_with(b"apiVersion: podfit.dev/v1alpha1") {
        Ok(PolicySet::default())
    } else {
        Err(PolicyError::Mistakes)
    }
}
