//! The two programs that are compared, and how each is started.

use std::{
    env,
    net::TcpStream,
    path::{Path, PathBuf},
};

use crate::{
    container::Group,
    load::client::Client,
    server::{Server, Site},
    table::{Row, mebibytes},
};

pub struct Programs {
    bare: PathBuf,
    podfit: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Bare,
    Podfit,
}

pub const BOTH: [Which; 2] = [Which::Bare, Which::Podfit];

impl Programs {
    /// podfit as built with the bench, or `PODFIT_PROGRAM`; the example, which cargo builds beside it.
    pub fn find() -> Self {
        let built = Path::new(env!("CARGO_BIN_EXE_podfit"));
        let bare = built.with_file_name("examples").join("bare-server");
        assert!(bare.exists(), "build it first: cargo build --release --example bare-server ({})", bare.display());
        Self { bare, podfit: env::var_os("PODFIT_PROGRAM").map_or_else(|| built.to_owned(), PathBuf::from) }
    }

    pub fn path(&self, which: Which) -> &Path {
        match which {
            Which::Bare => &self.bare,
            Which::Podfit => &self.podfit,
        }
    }

    pub fn sizes(&self) -> Row {
        let [bare, podfit] = BOTH.map(|which| mebibytes(self.path(which).metadata().unwrap().len() >> 10));
        Row { what: "the binary".to_owned(), bare, podfit }
    }

    /// Once it takes reviews.
    pub fn start(&self, which: Which) -> Server {
        match which {
            Which::Bare => {
                let site = Site::new();
                let arguments = bare_arguments(&site);
                let server = site.start("bare-server", &self.bare, &arguments);
                server.once(|server| TcpStream::connect(server.site.webhook).is_ok())
            }
            Which::Podfit => Server::podfit(&self.podfit),
        }
    }
}

impl Programs {
    /// The same in a control group.
    pub fn start_in(&self, which: Which, group: &Group) -> Server {
        let (site, program) = (Site::new(), self.path(which));
        let own = match which {
            Which::Bare => bare_arguments(&site),
            Which::Podfit => site.serve_with_files(),
        };
        let arguments = group.arguments(program, &own);
        let server = site.start_directly("server in a group", Path::new("sh"), &arguments);
        match which {
            Which::Bare => server.once(|server| TcpStream::connect(server.site.webhook).is_ok()),
            Which::Podfit => server.once(Server::is_ready),
        }
    }
}

pub fn bare_arguments(site: &Site) -> Vec<String> {
    let [certificate, key] = ["tls.crt", "tls.key"].map(|name| site.file(name).display().to_string());
    vec![site.webhook.to_string(), certificate, key]
}

pub fn client(server: &Server) -> Client {
    Client::new(server.site.webhook, &server.site.ca)
}
