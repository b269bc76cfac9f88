use super::{Policy, PolicySet};
pub struct Governed;
pub struct InForce;
#[derive(Debug, Clone, PartialEq)]
pub struct Selector;
pub struct Subject;
#[derive(Debug, Clone, PartialEq)]
pub struct LabelSelector;
impl PolicySet {
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }
    pub fn needs_namespace_labels(&self) -> bool {
        false
    }
}
