"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const picture = document.getElementById("picture");
  const box = picture?.parentElement;  // an SVG that listens for focus would be a stop for Tab itself
  const tip = document.getElementById("tip");
  const marks = all("#marks .mark");
  const rows = all("#events tbody tr");
  const markOf = new Map(marks.map((mark) => [mark.dataset.event, mark]));
  const byMessage = new Map();
  for (const part of all("[data-messages]")) {
    for (const number of part.dataset.messages.split(" ").filter(Boolean)) {
      byMessage.set(number, [...(byMessage.get(number) ?? []), part]);
    }
  }
  let kept = "";
  let lit = [];

  function follow(messages) {
    for (const part of lit) part.classList.remove("is-on");
    lit = messages.split(" ").flatMap((number) => byMessage.get(number) ?? []);
    for (const part of lit) part.classList.add("is-on");
    picture?.classList.toggle("is-following", lit.length > 0);
  }

  function show(part) {
    follow(part.dataset.messages || kept);
    part.classList.add("is-on");
    lit.push(part);
    if (!part.dataset.words) return;
    const [subject, time, words] = tip.children;
    subject.textContent = part.dataset.subject ?? "";
    time.textContent = part.dataset.time ?? "";
    words.textContent = part.dataset.words;
    tip.hidden = false;
  }

  function place(x, y) {
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${y - height - 16 < 4 ? y + 22 : y - height - 16}px`;
  }

  function leave() {
    tip.hidden = true;
    follow(kept);
  }

  function go(mark) {
    if (!mark) return;
    for (const each of marks) each.tabIndex = each === mark ? 0 : -1;
    mark.focus({ preventScroll: true });
    const names = picture.previousElementSibling.offsetWidth;
    const x = mark.getBoundingClientRect().left - picture.getBoundingClientRect().left;
    if (x < box.scrollLeft + 20 || x > box.scrollLeft + box.clientWidth - names - 40) {
      box.scrollLeft = x - (box.clientWidth - names) / 2;
    }
    mark.scrollIntoView({ block: "nearest", inline: "nearest" });
    const { left, top } = mark.getBoundingClientRect();
    place(left, top);
  }

  const alike = (mark) => marks.filter((each) =>
    each.dataset.messages.split(" ").some((number) => number && mark.dataset.messages.split(" ").includes(number)));
  const steps = {
    ArrowRight: (mark) => marks[marks.indexOf(mark) + 1],
    ArrowLeft: (mark) => marks[marks.indexOf(mark) - 1],
    ArrowDown: (mark) => alike(mark)[alike(mark).indexOf(mark) + 1],
    ArrowUp: (mark) => alike(mark)[alike(mark).indexOf(mark) - 1],
    Home: () => marks[0],
    End: () => marks[marks.length - 1],
  };

  picture?.addEventListener("pointerover", (event) => {
    const part = event.target.closest("[data-words]");
    if (part) show(part); else leave();
  });
  picture?.addEventListener("pointermove", (event) => { if (!tip.hidden) place(event.clientX, event.clientY); });
  picture?.addEventListener("pointerleave", leave);
  picture?.addEventListener("click", (event) => {
    const messages = event.target.closest("[data-messages]")?.dataset.messages ?? "";
    kept = messages === kept ? "" : messages;
    follow(kept);
  });
  box?.addEventListener("focusin", (event) => {
    const mark = event.target.closest(".mark");
    if (!mark?.matches(":focus-visible")) return;
    show(mark);
    const { left, top } = mark.getBoundingClientRect();
    place(left, top);
  });
  box?.addEventListener("focusout", leave);
  box?.addEventListener("keydown", (event) => {
    const mark = event.target.closest(".mark");
    if (mark && Object.hasOwn(steps, event.key)) {
      event.preventDefault();
      go(steps[event.key](mark));
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { kept = ""; leave(); }
  });

  for (const row of rows) {
    row.addEventListener("pointerenter", () => follow(row.dataset.messages || kept));
    row.addEventListener("pointerleave", () => follow(kept));
    row.querySelector("button")?.addEventListener("click", () => go(markOf.get(row.dataset.event)));
  }

  const filter = document.getElementById("filter");
  const everything = document.getElementById("everything");
  function sift() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = words.every((word) => text.includes(word))
        && (everything.checked || !row.classList.contains("is-minor"));
      row.hidden = !fits;
      markOf.get(row.dataset.event)?.classList.toggle("is-out", !fits);
      count += fits;
    }
    picture?.classList.toggle("is-filtered", words.length > 0);
    document.getElementById("count").textContent = `${count} of ${rows.length}`;
  }
  filter?.addEventListener("input", sift);
  everything?.addEventListener("change", sift);
  if (filter) sift();

  const theme = document.getElementById("theme");
  const isDark = () => (document.documentElement.dataset.theme
    ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  function name() { theme.textContent = isDark() ? "Light" : "Dark"; }
  theme.addEventListener("click", () => {
    const chosen = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = chosen;
    document.documentElement.style.colorScheme = chosen;
    name();
  });
  name();
  for (const part of all(".needs-script, #theme")) part.hidden = false;
})();
