//! Ruby: no number of its own that is safe to set; its memory follows malloc's arenas.

use super::{Runtime, Signs, glibc::MALLOC_ARENA_MAX};

pub static RUBY: Runtime = Runtime {
    name: "ruby",
    about: "Sees the node's cores; web servers count workers by variables that are the application's own.",
    signs: Signs {
        open_telemetry: None,
        datadog: Some("ruby"),
        commands: &["bundle", "puma", "rackup", "rails", "rake", "ruby", "sidekiq"],
        variables: &["BUNDLE_PATH", "GEM_HOME", "RACK_ENV", "RAILS_ENV", "RUBYOPT"],
        images: &["ruby"],
        products: &[],
    },
    variables: &[MALLOC_ARENA_MAX],
};
