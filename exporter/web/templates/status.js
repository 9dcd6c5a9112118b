"use strict";
(() => {
  const EVERY_MS = 15000;
  const say = (text, stale) => {
    const place = document.getElementById("refresh");
    place.textContent = text;
    place.classList.toggle("stale", stale);
  };
  const clock = (at) =>
    at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const localTimes = () => {
    const now = new Date();
    const yesterday = new Date(now);
    yesterday.setDate(now.getDate() - 1);
    for (const each of document.querySelectorAll("time")) {
      const at = new Date(each.dateTime);
      let day = at.toLocaleDateString([], { day: "numeric", month: "short" }) + " ";
      if (at.toDateString() === now.toDateString()) day = "";
      else if (at.toDateString() === yesterday.toDateString()) day = "yesterday ";
      each.textContent = day + clock(at);
    }
    document.getElementById("zone").textContent = "your time";
  };
  const take = (page) => {
    const open = new Set(Array.from(document.querySelectorAll("details[open]"), (e) => e.id));
    const focused = document.activeElement.id;
    const [x, y] = [scrollX, scrollY];
    for (const each of page.querySelectorAll("details")) each.open = open.has(each.id);
    document.title = page.title;
    const icon = (of) => of.querySelector("link[rel=icon]");
    icon(document).href = icon(page).href;
    document.querySelector("main").replaceWith(page.querySelector("main"));
    localTimes();
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    scrollTo(x, y);
  };
  const refresh = async () => {
    try {
      const answer = await fetch("./", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      take(new DOMParser().parseFromString(await answer.text(), "text/html"));
      say("refreshes every 15 s", false);
    } catch {
      say("no answer from the exporter: what is shown is old", true);
    }
  };
  const refreshUnlessRead = () => {
    if (!document.hidden && getSelection().isCollapsed) refresh();
  };
  document.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.submitter.disabled = true;
    await fetch(event.target.action, { method: "POST" }).catch(() => {});
    refresh();
  });
  document.addEventListener("visibilitychange", refreshUnlessRead);
  setInterval(refreshUnlessRead, EVERY_MS);
  localTimes();
  say("refreshes every 15 s", false);
})();
