//! The report and the dashboard in a real headless Chromium. One browser serves all cases, which is why this file is the test
//! harness itself (`harness = false`). `PODFIT_SCREENSHOTS=folder` keeps pictures of what was seen.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod dashboard;
mod driver;
mod pages;
mod report;

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use driver::{Browser, Programs};
use libtest_mimic::{Arguments, Trial};

type Case = (&'static str, fn(&Browser));

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let cases = report::CASES.iter().chain(dashboard::CASES);
    let conclusion = match Programs::find() {
        Ok(programs) => {
            let browser = if arguments.list { None } else { Some(Browser::start(&programs)) };
            let browser = Arc::new(Mutex::new(browser));
            let conclusion = libtest_mimic::run(&arguments, cases.map(|case| trial(*case, &browser)).collect());
            println!("browser: left out: none");
            conclusion
        }
        Err(missing) => {
            println!("browser: left out: {missing}");
            let trials = cases.map(|(name, _)| Trial::test(*name, || Ok(())).with_ignored_flag(true));
            libtest_mimic::run(&arguments, trials.collect())
        }
    };
    conclusion.exit_code()
}

/// Each case begins with a screen of a desktop, scripts and light colours.
fn trial((name, case): Case, browser: &Arc<Mutex<Option<Browser>>>) -> Trial {
    let browser = Arc::clone(browser);
    Trial::test(name, move || {
        let browser = browser.lock().unwrap_or_else(PoisonError::into_inner);
        let browser = browser.as_ref().expect("it is started unless cases are only listed");
        browser.scripts(true);
        browser.scheme("light");
        browser.size(1200, 900);
        case(browser);
        Ok(())
    })
}
