// Keeps the page current by asking for its parts, and says when nothing answers any more.
"use strict";

(() => {
  const PAUSE_MS = 4000;
  const TURN_MS = 12000;
  const GIVE_UP_MS = 10000;
  const CAN_HAVE_FOCUS = "a, summary, [tabindex]";
  const parts = [...document.querySelectorAll("[id^=part-]")];
  // As the server sent them: what scripts did to a part since then makes it no other.
  const sent = new Map(parts.map((part) => [part, part.innerHTML]));
  const lost = document.getElementById("lost");
  const said = document.getElementById("said");
  const icon = document.querySelector("link[rel=icon]");
  const liveUrl = document.body.dataset.live;
  const texts = JSON.parse(document.body.dataset.texts);
  let lastAnswer = new Date();
  let timer = null;

  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_whole, name) => values[name]);
  const clock = (at) => at.toLocaleTimeString("en-GB");

  async function ask(url) {
    const abort = new AbortController();
    const giveUp = setTimeout(() => abort.abort(), GIVE_UP_MS);
    try {
      const answer = await fetch(url, { signal: abort.signal, cache: "no-store", credentials: "same-origin" });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      return await answer.json();
    } finally {
      clearTimeout(giveUp);
    }
  }

  // Returns what finds again, after its part was replaced, what has the focus now.
  function focusedIn(part) {
    const active = document.activeElement;
    if (!part.contains(active)) return () => null;
    if (active.id) return () => document.getElementById(active.id);
    const all = () => [...part.querySelectorAll(CAN_HAVE_FOCUS)];
    const number = all().indexOf(active);
    return () => all()[number];
  }

  // Puts new content into a part, and leaves alone what somebody is just using there.
  function replace(part, html) {
    const content = document.createElement("template");
    content.innerHTML = html;
    if (content.innerHTML === sent.get(part) || isChoosing(part)) return;
    sent.set(part, content.innerHTML);
    const focused = focusedIn(part);
    const open = new Map([...part.querySelectorAll("details")].map((each) => [each.id, each.open]));
    const scrolled = new Map([...part.querySelectorAll(".scroll")].map((each) => [each.id, each.scrollLeft]));
    for (const fresh of content.content.querySelectorAll("[data-chart]")) {
      const drawn = document.getElementById(fresh.id);
      if (drawn?.dataset.chart === fresh.dataset.chart) fresh.replaceWith(drawn);
    }
    part.replaceChildren(content.content);
    part.querySelectorAll("details").forEach((each) => { each.open = open.get(each.id) ?? each.open; });
    part.querySelectorAll(".scroll").forEach((each) => { each.scrollLeft = scrolled.get(each.id) ?? 0; });
    document.dispatchEvent(new Event("replaced"));
    focused()?.focus({ preventScroll: true });
  }

  function isChoosing(part) {
    return part.querySelector("form")?.contains(document.activeElement) ?? false;
  }

  function isSelecting(part) {
    const selection = document.getSelection();
    return selection !== null && !selection.isCollapsed && part.contains(selection.anchorNode);
  }

  // Returns how all is, and the poller that is looked at: what changes there is read out, the rest is not.
  const words = () =>
    [...document.querySelectorAll("#part-head .badge, #part-title .badge")].map((each) => each.textContent.trim()).join("; ");

  // The tab shows the state of the whole, or that nothing answers.
  function showTab(isLost) {
    const { title, icon: address } = document.querySelector("#part-head [data-title]").dataset;
    document.title = isLost ? filled(texts.lost_tab, { title }) : title;
    if (icon.getAttribute("href") !== address) icon.href = address;
  }

  async function refresh() {
    timer = null;
    try {
      const answer = await ask(liveUrl);
      const before = words();
      for (const [name, html] of Object.entries(answer.parts)) {
        const part = document.getElementById(`part-${name}`);
        if (part !== null && !isSelecting(part)) replace(part, html);
      }
      if (words() !== before) said.textContent = words();
      lastAnswer = new Date();
      showTab(false);
      lost.hidden = true;
      document.body.classList.remove("is-lost");
    } catch (error) {
      const text = filled(texts.lost, { at: clock(lastAnswer), reason: error.message });
      // Only where it is another: a screen reader reads it out each time that it is set.
      if (lost.hidden || lost.textContent !== text) lost.textContent = text;
      lost.hidden = false;
      showTab(true);
      document.body.classList.add("is-lost");
    }
    plan();
  }

  // On the wall, pollers are shown one after the other, each in the largest text with which it fits the screen.
  // The right arrow key or a click shows the next one; a button keeps the one that is shown.
  const [LARGEST_VMIN, SMALLEST_VMIN, STEP_VMIN] = [8, 2, 0.25];
  let shown = 0;
  function show() {
    const all = [...document.querySelectorAll(".turn")];
    all.forEach((each, number) => { each.hidden = number !== shown % all.length; });
    const root = document.documentElement;
    const narrow = [root, ...document.querySelectorAll(".turn:not([hidden]) :is(dd, .scroll)")];
    for (let size = LARGEST_VMIN; size >= SMALLEST_VMIN; size -= STEP_VMIN) {
      root.style.fontSize = `max(16px, ${size}vmin)`;
      if (root.scrollHeight <= innerHeight && narrow.every((each) => each.scrollWidth <= each.clientWidth)) break;
    }
  }
  if (document.querySelector(".turn")) {
    const pause = document.getElementById("pause");
    const next = () => { shown += 1; show(); };
    show();
    setInterval(() => { if (pause?.ariaPressed !== "true") next(); }, TURN_MS);
    addEventListener("resize", show);
    document.addEventListener("replaced", show);
    document.addEventListener("keydown", (event) => { if (event.key === "ArrowRight") next(); });
    document.getElementById("main").addEventListener("click", next);
    pause?.addEventListener("click", () => pause.setAttribute("aria-pressed", pause.ariaPressed !== "true"));
    pause?.removeAttribute("hidden");
  }

  function plan() {
    if (timer === null && !document.hidden) timer = setTimeout(refresh, PAUSE_MS);
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(timer);
      timer = null;
    } else if (timer === null) refresh();
  });

  // On a phone, the navigation is a strip that scrolls.
  document.querySelector("#part-nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  plan();
})();
