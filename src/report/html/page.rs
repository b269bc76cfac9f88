//! What every page of ours has around its content: style, script, and the content security policy that lets nothing else in.
//! The report and the server's dashboard are such pages.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::report::visible;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Of the two texts above: a browser runs what has these hashes, and nothing that a name in a Pod has smuggled in.
const STYLE_HASH: &str = "bzDqxUfmUwaoZJvxPH6GTxLWAROfw8IdElBHVS3915s=";
const SCRIPT_HASH: &str = "6+UkWzj7kNruFGPH83hG/4wDieeHjfBGSC6pdmjSx4o=";

const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect x='1' y='1' \
                    width='14' height='14' rx='3' fill='none' stroke='%232f6f8f' stroke-width='2'/%3E%3Crect x='5' y='5' \
                    width='6' height='6' rx='1' fill='%232f6f8f'/%3E%3C/svg%3E";

/// A page before it has its content.
pub struct Page<'a> {
    pub title: &'a str,
    /// One line below the title.
    pub lead: &'a str,
    /// Whether its script fetches it again and again.
    pub live: bool,
}

impl Page<'_> {
    pub fn with(&self, content: &Markup) -> Markup {
        let name = self.title.strip_prefix("podfit ").unwrap_or(self.title);
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy_of_content(self.live));
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    link rel="icon" href=(ICON);
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body data-live[self.live] {
                    header {
                        h1 { "podfit " span { (name) } }
                        @if !self.lead.is_empty() { p #lead { (visible(self.lead)) } }
                    }
                    main { (content) }
                    footer { p { "podfit " (env!("CARGO_PKG_VERSION")) } }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        }
    }
}

/// The content security policy of a page; a live one may fetch from where it came from.
pub fn policy_of_content(live: bool) -> String {
    let connect = if live { "; connect-src 'self'" } else { "" };
    format!(
        "default-src 'none'; style-src 'sha256-{STYLE_HASH}'; script-src 'sha256-{SCRIPT_HASH}'; img-src data:{connect}; \
         base-uri 'none'; form-action 'none'"
    )
}

/// One of the numbers on top.
pub fn number(name: &str, number: impl maud::Render, class: &str) -> Markup {
    html! { div class=[Some(class).filter(|class| !class.is_empty())] { dt { (name) } dd { (number) } } }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use rustls::{SupportedCipherSuite, crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256};

    use super::*;

    #[test]
    fn the_hashes_are_those_of_the_texts() {
        assert_eq!((STYLE_HASH, SCRIPT_HASH), (sha256(STYLE).as_str(), sha256(SCRIPT).as_str()), "write these");
    }

    fn sha256(text: &str) -> String {
        let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256 else { panic!("it is of TLS 1.3") };
        STANDARD.encode(suite.common.hash_provider.hash(text.as_bytes()).as_ref())
    }
}
