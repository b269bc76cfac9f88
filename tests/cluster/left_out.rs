//! The shared cases that never come to a policy on a real API server, and those of which CEL cannot say what podfit says. Each
//! must be so still.

/// Never sent: 10 to this power, written out, keeps the API server busy for minutes before it asks anybody.
pub const TOO_SLOW: &[&str] = &["resource-limits/quantities#20", "resource-limits/quantities#21"];

/// Case, and why the API server refuses it by itself: `/mutate` or a manifest may have it, `/validate` never sees it.
pub const REFUSED_BY_THE_API: &[(&str, &str)] = &[
    ("image-tag/open-templates#2", "a container without an image"),
    ("image-tag/open-templates#3", "a replication controller without a template"),
    ("image-tag/open-templates#4", "a replication controller without a template"),
    ("image-tag/open-templates#5", "a template without containers"),
    ("image-tag/open-templates#6", "a template without containers"),
    ("image-tag/open-templates#7", "a Pod with a blank for an image"),
    ("image-tag/ratchet#4", "a container that is renamed"),
    ("image-tag/ratchet#6", "an UPDATE of nothing"),
    ("image-tag/ratchet#7", "an object before that does not decode"),
    ("image-tag/references#20", "an image with a blank at its end"),
    ("image-tag/references#21", "an image with a blank at its end"),
    ("image-tag/references#22", "an empty image"),
    ("image-tag/references#39", "a container without an image"),
    ("resource-limits/defaults#12", "a limit that is no quantity"),
    ("resource-limits/node-critical#6", "a limit that a resize takes away"),
    ("resource-limits/quantities#30", "a negative limit"),
    ("resource-limits/quantities#31", "a limit that is no quantity"),
    ("resource-limits/quantities#32", "a limit that is no quantity"),
    ("resource-limits/quantities#34", "a limit that is no quantity"),
    ("resource-limits/quantities#36", "a limit that is no quantity"),
    ("resource-limits/quantities#37", "a limit that is no quantity"),
    ("resource-limits/quantities#38", "a limit that is no quantity"),
    ("review/default-policy", "a key of a file in a volume that is not there"),
    ("review/mirror#1", "a mirror Pod without a node; `mirror` has one"),
    ("review/mirror#2", "a mirror Pod without a node; `mirror` has one"),
    ("review/mirror#3", "a mirror Pod without a node; `mirror` has one"),
    ("review/odd-objects#1", "no containers"),
    ("review/odd-objects#2", "no containers"),
    ("review/odd-objects#3", "no containers"),
    ("review/odd-objects#4", "a container without an image"),
    ("review/odd-objects#5", "a container without a name"),
    ("review/same-names-again", "two containers of one name"),
    ("review/same-names", "two containers of one name"),
];

/// Case, and why CEL cannot say it: the same as `podfit export` lists.
pub const UNSAID: &[(&str, &str)] = &[("runtime-sizing/modes#1", "runtime-sizing in the mode Deny")];
