//! What holds for the repository as a whole: the arrows between modules, the purity of the core, the documentation's examples,
//! what deploy/ installs.

mod deploy;
mod documentation;
mod structure;
