"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const map = at("map"), audio = at("audio"), tip = at("tip");
const marks = [...map.querySelectorAll(".point")];
const [width, height] = data.canvas;
let view = data.views[0], grouping = data.groupings[0];
let chosen = -1, loaded = -1, playing = -1, alone = -1;

// Few points are drawn large, many small.
const base = Math.min(1.6, Math.max(0.6, 1.9 - 0.17 * Math.log2(Math.max(marks.length, 8) / 8)));
let box = [0, 0, width, height];

function show([x, y, w, h]) {
  w = Math.min(Math.max(w, width / 40), width);
  h = w * height / width;
  box = [Math.min(Math.max(x, 0), width - w), Math.min(Math.max(y, 0), height - h), w, h];
  map.setAttribute("viewBox", box.join(" "));
  // Zooming in parts the points; they grow more slowly than the space between them.
  map.style.setProperty("--size", base * Math.pow(w / width, 0.75));
}

function zoom(factor, px = box[0] + box[2] / 2, py = box[1] + box[3] / 2) {
  map.classList.add("still");
  show([px - (px - box[0]) * factor, py - (py - box[1]) * factor, box[2] * factor, 0]);
}

/** Where the pointer is, in units of the drawing. */
function place(event) {
  return new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
}

function move() {
  map.classList.remove("still");
  marks.forEach((mark, i) => {
    mark.style.setProperty("--x", view.points[i][0] + "px");
    mark.style.setProperty("--y", view.points[i][1] + "px");
  });
  at("note").textContent = view.note;
}

const shape = (group) => data.shapes[Math.floor(group / 10) % data.shapes.length];
/** The name without its folders, for narrow places. */
const short = (i) => data.points[i].name.split("/").pop();
const groupOf = (i) => grouping.names[grouping.of[i]];

function sign(group) {
  const svg = document.createElementNS(map.namespaceURI, "svg");
  svg.setAttribute("viewBox", "-7 -7 14 14");
  svg.setAttribute("class", "sign c" + group % 10);
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(svg.namespaceURI, "path"));
  svg.firstChild.setAttribute("d", shape(group));
  return svg;
}

function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function item(parts, onclick) {
  const li = document.createElement("li"), button = document.createElement("button");
  button.append(...parts);
  button.onclick = onclick;
  li.append(button);
  return li;
}

function colour() {
  alone = -1;
  const counts = grouping.names.map(() => 0);
  marks.forEach((mark, i) => {
    const group = grouping.of[i];
    counts[group]++;
    mark.setAttribute("class", "point c" + group % 10);
    mark.setAttribute("d", shape(group));
  });
  at("legend").replaceChildren(...grouping.names.map((name, group) => {
    const parts = [sign(group), element("span", name), element("small", counts[group])];
    const li = item(parts, () => { alone = alone === group ? -1 : group; paint(); });
    li.firstChild.title = name;
    return li;
  }));
  paint();
}

/** What depends on what is chosen, playing and singled out. */
function paint() {
  const near = chosen < 0 ? [] : data.points[chosen].nearest;
  marks.forEach((mark, i) => {
    mark.classList.toggle("chosen", i === chosen);
    mark.classList.toggle("near", near.includes(i));
    mark.classList.toggle("playing", i === playing);
    mark.classList.toggle("faint", alone >= 0 && grouping.of[i] !== alone);
  });
  [...at("legend").children].forEach((li, group) => li.firstChild.setAttribute("aria-pressed", group === alone));
  if (chosen >= 0) {
    at("name").textContent = data.points[chosen].name;
    at("group").textContent = grouping.name + ": " + groupOf(chosen);
    at("nearest").replaceChildren(...near.map((i) => {
      const li = item([sign(grouping.of[i]), element("span", short(i))], () => { choose(i); play(i); });
      li.firstChild.title = data.points[i].name;
      return li;
    }));
  }
}

function choose(i) {
  chosen = i;
  paint();
}

function play(i) {
  const address = data.points[i].audio;
  if (!address) {
    at("group").textContent = "This page holds no sound.";
    return;
  }
  audio.src = address;
  audio.play().catch((error) => {
    // A newer click ends an older one; that is no failure.
    if (error.name !== "AbortError") at("group").textContent = "Cannot play it: " + error.message;
  });
  loaded = i;
}

audio.onpause = audio.onended = () => { playing = -1; paint(); };
audio.onplay = () => { playing = loaded; paint(); };

function choices(id, title, all, current, onchoice) {
  if (all.length < 2) return;
  const box = at(id);
  if (title) box.append(element("span", title));
  const buttons = all.map((one) => {
    const button = element("button", one.name);
    button.setAttribute("aria-pressed", one === current);
    button.onclick = () => {
      buttons.forEach((other) => other.setAttribute("aria-pressed", other === button));
      onchoice(one);
    };
    return button;
  });
  box.append(...buttons);
}

choices("views", "", data.views, view, (one) => { view = one; move(); });
choices("groupings", "Colour by", data.groupings, grouping, (one) => { grouping = one; colour(); });
at("in").onclick = () => zoom(0.6);
at("out").onclick = () => zoom(1 / 0.6);
at("whole").onclick = () => show([0, 0, width, height]);

const numberOf = (target) => target.closest?.(".point") ? +target.dataset.i : -1;

map.addEventListener("pointermove", (event) => {
  const i = drag ? -1 : numberOf(event.target);
  tip.hidden = i < 0;
  if (i < 0) return;
  tip.replaceChildren(element("b", data.points[i].name), grouping.name + ": " + groupOf(i));
  const left = event.clientX + 14, top = event.clientY + 14;
  tip.style.left = Math.min(left, innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = (top + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : top) + "px";
});
map.addEventListener("pointerleave", () => { tip.hidden = true; });

map.addEventListener("wheel", (event) => {
  event.preventDefault();
  const p = place(event);
  zoom(Math.exp(event.deltaY * 0.0015), p.x, p.y);
}, { passive: false });

// Dragging moves the map; a press that does not move is a click.
let drag = null;
map.addEventListener("pointerdown", (event) => {
  tip.hidden = true;
  drag = { x: event.clientX, y: event.clientY, box: [...box], on: numberOf(event.target), far: false };
});
addEventListener("pointermove", (event) => {
  if (!drag) return;
  const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
  drag.far = drag.far || Math.hypot(dx, dy) > 4;
  if (!drag.far) return;
  map.classList.add("dragged", "still");
  const unit = 1 / map.getScreenCTM().a;
  show([drag.box[0] - dx * unit, drag.box[1] - dy * unit, drag.box[2], 0]);
});
addEventListener("pointerup", () => {
  if (drag && !drag.far && drag.on >= 0) {
    choose(drag.on);
    play(drag.on);
  }
  drag = null;
  map.classList.remove("dragged");
});

/** The nearest point that lies in a direction rather than across it. */
function towards(dx, dy) {
  if (chosen < 0) return 0;
  const [x, y] = view.points[chosen];
  let best = chosen, least = Infinity;
  view.points.forEach(([px, py], i) => {
    const along = (px - x) * dx + (py - y) * dy, across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
    const cost = along + 2 * across;
    if (i !== chosen && along > 0 && across <= along && cost < least) [best, least] = [i, cost];
  });
  return best;
}

map.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (step) choose(towards(...step));
  else if ((event.key === "Enter" || event.key === " ") && chosen >= 0) play(chosen);
  else if (event.key === "Escape") audio.pause();
  else if (event.key === "+") zoom(0.6);
  else if (event.key === "-") zoom(1 / 0.6);
  else if (event.key === "0") show([0, 0, width, height]);
  else return;
  event.preventDefault();
});

map.classList.add("still");
show(box);
colour();
