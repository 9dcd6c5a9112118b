// Logs and dashboards are in UTC, who reads them lives elsewhere: both are told.
for (const each of document.querySelectorAll("time")) {
  const at = new Date(each.dateTime).toLocaleTimeString([], { hourCycle: "h23" });
  each.after(` (${at} your time)`);
}
// A picture shows its worst turn first. The cursor of each picture follows its sound; a click on the picture and the keys seek in it.
for (const call of document.querySelectorAll(".call")) {
  const audio = call.querySelector("audio"), region = call.querySelector(".scroll.time");
  const svg = region && region.querySelector("svg");
  if (!svg) continue;
  const worst = svg.querySelector(".turn:has(.missing)") || svg.querySelector(".turn:has(.bad)");
  if (worst && !location.hash) region.scrollLeft = worst.dataset.at * svg.dataset.pxPerS - 40;
  if (!audio) continue;
  const left = Number(svg.dataset.left), scale = Number(svg.dataset.pxPerS);
  const cursor = svg.querySelector(".cursor");
  const seek = (s) => {
    audio.currentTime = Math.min(Math.max(s, 0), audio.duration || Number(svg.dataset.length));
    show();
  };
  const show = () => {
    const x = audio.currentTime * scale;
    cursor.setAttribute("transform", `translate(${x} 0)`);
    const seen = left + x - region.scrollLeft;
    if (seen < 0 || seen > region.clientWidth * 0.9) region.scrollLeft = x - region.clientWidth / 5;
  };
  const follow = () => { show(); if (!audio.paused) requestAnimationFrame(follow); };
  audio.addEventListener("play", follow);
  audio.addEventListener("seeked", show);
  region.classList.add("playable");
  svg.addEventListener("click", (event) => {
    seek((event.clientX - svg.getBoundingClientRect().left - left) / scale);
  });
  region.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.1 : 1;
    const keys = {
      ArrowLeft: () => seek(audio.currentTime - step),
      ArrowRight: () => seek(audio.currentTime + step),
      Home: () => seek(0),
      End: () => seek(Number(svg.dataset.length)),
      " ": () => (audio.paused ? audio.play() : audio.pause()),
    };
    if (!(event.key in keys) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  for (const link of call.querySelectorAll("a.turn-link")) {
    link.addEventListener("click", () => {
      const turn = document.getElementById(link.hash.slice(1));
      if (turn) seek(Number(turn.dataset.at));
    });
  }
}
