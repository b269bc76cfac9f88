#[derive(Debug, Clone, PartialEq)]
pub struct Pattern;
