// Tables: what is wider than its place says so; a long one is shown a page at a time, and searched. Without scripts, and in print, all is there.
function sideways(box) {
  const wide = box.scrollWidth > box.clientWidth + 1, told = box.previousElementSibling?.classList.contains("sideways");
  if (wide && !told) box.before(make("p", "hint sideways", "This table is wider than the page: it scrolls sideways."));
  if (!wide && told) box.previousElementSibling.remove();
}

const boxes = document.querySelectorAll(".scroll"), watched = new ResizeObserver((seen) => seen.forEach((one) => sideways(one.target)));
for (const box of boxes) {
  watched.observe(box);
  const table = box.querySelector("table");
  if (table) watched.observe(table);
  if (!box.hasAttribute("tabindex")) box.tabIndex = 0;
}

for (const part of document.querySelectorAll("[data-part=pages]")) {
  const rows = [...part.querySelectorAll("tbody tr")], size = Number(part.dataset.size), told = part.querySelector(".pager span");
  const search = part.querySelector("input"), state = { page: 0 };
  part.querySelector(".bar-of-controls").hidden = false;
  part.querySelector(".pager").hidden = rows.length <= size;

  function draw() {
    const words = search.value.toLowerCase(), found = rows.filter((row) => row.textContent.toLowerCase().includes(words));
    state.page = Math.min(Math.max(state.page, 0), Math.max(0, Math.ceil(found.length / size) - 1));
    const first = state.page * size, shown = new Set(found.slice(first, first + size));
    for (const row of rows) row.classList.toggle("other-page", !shown.has(row));
    told.textContent = `${shown.size ? first + 1 : 0}–${first + shown.size} of ${found.length}`;
    for (const turn of part.querySelectorAll("[data-turn]")) turn.disabled = Number(turn.dataset.turn) < 0 ? state.page === 0 : first + size >= found.length;
  }

  for (const turn of part.querySelectorAll("[data-turn]")) turn.addEventListener("click", () => { state.page += Number(turn.dataset.turn); draw(); });
  search.addEventListener("input", () => { state.page = 0; draw(); });
  draw();
}
