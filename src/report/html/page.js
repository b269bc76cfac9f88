// The one script of podfit's pages. A report: all findings, grouped, filtered and searched. A dashboard: what is new.
// Texts of users go into the page as text nodes only.
"use strict";

const PAGE = 100; // findings or groups shown at a time
const LONG = 60; // characters of an excerpt before its mark
const PERIOD_MS = 3000;
const WORDS = { Deny: "denied", Warn: "warned", Audit: "audited", Inject: "injected" };
const MODES = Object.keys(WORDS);

const make = (tag, name, ...children) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children);
  return element;
};

const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

/* ---- report ---- */

function report(data) {
  const form = document.getElementById("filters");
  const place = document.getElementById("findings");
  const shown = document.getElementById("shown");
  const summaries = new Map(data.rules);
  const findings = data.owners.flatMap((owner) => owner.findings.map((finding) => ({ owner, finding })));
  const groupings = {
    namespace: ({ owner }) => owner.namespace ?? "no namespace",
    rule: ({ finding }) => finding.rule,
    owner: ({ owner }) => owner,
  };

  const show = () => {
    const wanted = new FormData(form);
    const grouping = wanted.get("group");
    const found = findings.filter(matcher(wanted));
    const groups = grouped(found, groupings[grouping]).map((members) => group(members, grouping, summaries));
    open(groups);
    place.replaceChildren();
    paged(place, groups, (part) => part.map(({ element }) => element));
    if (found.length === 0) place.append(make("p", "nothing", findings.length ? "No finding matches." : "No findings."));
    shown.textContent = `${count(found.length, "finding")} of ${findings.length.toLocaleString("en")}`;
  };

  const restore = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    form.elements.search.value = asked.get("search") ?? "";
    form.elements.rule.value = asked.get("rule") ?? "";
    form.elements.rule.selectedIndex = Math.max(form.elements.rule.selectedIndex, 0);
    form.elements.group.value = asked.get("group") in groupings ? asked.get("group") : "namespace";
    for (const box of form.querySelectorAll("[name=mode]")) box.checked = asked.getAll("mode").includes(box.value);
    show();
  };

  // What is not as it is at first goes into the address, so that a link shows the same.
  const remember = () => {
    const wanted = [...new FormData(form)].filter(([name, value]) => value && !(name === "group" && value === "namespace"));
    history.replaceState(null, "", `#${new URLSearchParams(wanted)}`);
    show();
  };

  form.addEventListener("input", remember);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(remember));
  addEventListener("hashchange", restore);
  addEventListener("beforeprint", () => place.querySelectorAll("details").forEach((group) => (group.open = true)));
  form.hidden = findings.length === 0;
  restore();
}

function matcher(wanted) {
  const modes = wanted.getAll("mode");
  const rule = wanted.get("rule");
  const words = wanted.get("search").toLowerCase().split(/\s+/).filter(Boolean);
  return (entry) => {
    const { finding } = entry;
    if ((modes.length && !modes.includes(finding.mode)) || (rule && rule !== finding.rule)) return false;
    return words.every((word) => haystack(entry).includes(word));
  };
}

function haystack(entry) {
  const { owner, finding } = entry;
  entry.haystack ??= [
    owner.kind, `${owner.namespace ?? ""}/${owner.name}`, owner.file, finding.container, finding.rule, finding.policy,
    finding.text, finding.help,
  ].join(" ").toLowerCase();
  return entry.haystack;
}

/** Members by key; what has the most denials comes first. */
function grouped(entries, keyOf) {
  const groups = new Map();
  for (const entry of entries) {
    const key = keyOf(entry);
    if (!groups.has(key)) groups.set(key, { key, entries: [], counts: new Map(MODES.map((mode) => [mode, 0])) });
    const { entries: members, counts } = groups.get(key);
    members.push(entry);
    counts.set(entry.finding.mode, counts.get(entry.finding.mode) + 1);
  }
  const worse = (one, other) => {
    const mode = MODES.find((mode) => one.counts.get(mode) !== other.counts.get(mode));
    return mode ? other.counts.get(mode) - one.counts.get(mode) : 0;
  };
  return [...groups.values()].sort(worse);
}

/** A group has its content from when it is first opened. */
function group({ key, entries, counts }, grouping, summaries) {
  const name = grouping === "owner" ? ownerName(key) : [key];
  const badges = MODES.filter((mode) => counts.get(mode)).map((mode) =>
    make("span", mode.toLowerCase(), `${counts.get(mode).toLocaleString("en")} ${WORDS[mode]}`));
  const element = make("details", "group", make("summary", "", make("h2", "", ...name), make("span", "counts", ...badges)));
  const content = make("div", "");
  if (grouping === "rule") content.append(make("p", "help", summaries.get(key) ?? ""));
  element.append(content);
  const fill = () => {
    if (!content.dataset.filled) paged(content, entries, (part) => objects(part, grouping !== "owner"));
    content.dataset.filled = "yes";
  };
  element.addEventListener("toggle", fill);
  return { element, entries, fill };
}

/** As many groups as fit on a page, the first in any case. */
function open(groups) {
  let room = PAGE;
  groups.slice(0, PAGE).every(({ element, entries, fill }, index) => {
    room -= entries.length;
    if (index > 0 && room < 0) return false;
    fill();
    element.open = true;
    return true;
  });
}

/** The first items, and a button for the next ones. Answers the first element. */
function paged(place, items, render) {
  const part = render(items.slice(0, PAGE));
  const rest = items.slice(PAGE);
  place.append(...part);
  if (rest.length > 0) {
    const button = make("button", "more", `Show ${Math.min(PAGE, rest.length)} more of ${rest.length.toLocaleString("en")}`);
    button.type = "button";
    button.addEventListener("click", () => {
      button.remove();
      const next = paged(place, rest, render);
      next.tabIndex = -1;
      next.focus({ preventScroll: true });
    });
    place.append(button);
  }
  return part[0];
}

function objects(entries, named) {
  const parts = [];
  let list;
  entries.forEach(({ owner, finding }, index) => {
    if (index === 0 || entries[index - 1].owner !== owner) {
      list = make("ul", "");
      const title = named ? [make("h3", "", ...ownerName(owner))] : [];
      const file = owner.file ? [make("span", "file", owner.file)] : [];
      parts.push(make("div", "object", make("div", "title", ...title, ...file), list));
    }
    list.append(item(owner, finding));
  });
  return parts;
}

const ownerName = (owner) =>
  [make("span", "kind", owner.kind), " ", make("b", "", owner.namespace ? `${owner.namespace}/${owner.name}` : owner.name)];

function item(owner, finding) {
  const line = finding.line && owner.file ? `line ${finding.line}` : null;
  const container = finding.container ? `container ${finding.container}` : null;
  const about = [container, finding.rule, finding.policy, finding.pods, line].filter(Boolean);
  const what = make("div", "what", make("p", "", finding.text));
  if (finding.help) what.append(make("p", "help", finding.help));
  if (finding.excerpt) what.append(excerpt(finding));
  what.append(make("p", "about", about.join(" · ")));
  const word = make("span", "mode", WORDS[finding.mode] ?? finding.mode);
  return make("li", `finding ${finding.mode.toLowerCase()}`, word, what);
}

function excerpt({ line, excerpt: [before, marked, after] }) {
  // What comes long before the mark would push it out of sight.
  const near = before.length > LONG ? `…${before.slice(-LONG / 2)}` : before;
  const code = make("code", "", near, make("mark", "", marked), after);
  const block = make("pre", "excerpt", make("span", "line", String(line)), code);
  block.tabIndex = 0; // it scrolls
  return block;
}

/* ---- dashboard ---- */

function live() {
  const lead = document.getElementById("lead");
  const refresh = async () => {
    try {
      const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(PERIOD_MS) });
      if (!answer.ok) throw new Error(answer.status);
      update(new DOMParser().parseFromString(await answer.text(), "text/html"));
      document.body.classList.remove("stale");
    } catch {
      if (!document.body.classList.contains("stale")) lead.textContent = `No answer since ${new Date().toLocaleTimeString()}`;
      document.body.classList.add("stale");
    }
  };
  const again = async () => {
    if (!document.hidden) await refresh();
    setTimeout(again, PERIOD_MS);
  };
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  setTimeout(again, PERIOD_MS);
}

/** Only what differs is replaced, and nothing in which somebody has marked a text. */
function update(page) {
  const selection = getSelection();
  for (const old of document.querySelectorAll("#lead, main > [id]")) {
    const fresh = page.getElementById(old.id);
    const isMarked = !selection.isCollapsed && selection.containsNode(old, true);
    if (fresh && !isMarked && fresh.innerHTML !== old.innerHTML) old.replaceChildren(...fresh.childNodes);
  }
}

const data = document.getElementById("report");
if (data) report(JSON.parse(data.textContent));
if ("live" in document.body.dataset) live();
