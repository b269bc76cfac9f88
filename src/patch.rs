//! A patch: RFC 6902 operations that a verdict makes of its edits. Only `add` to a parent that exists, and `replace` of a
//! literal that is ours: the API server answers 500 to its user, whatever the failurePolicy, where a patch does not apply.

/// One operation; `value` is JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub kind: OperationKind,
    pub pointer: String,
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    Add,
    Replace,
}

impl OperationKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
        }
    }
}
