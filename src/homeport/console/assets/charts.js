// Draws the tables of figures as lines; colours are those of the page, and change with them.
const COLOURS = ["ink", "soft", "line"], FONT = "12px system-ui";

// of all names at once: each look at a style that was just changed has the browser work out those of the whole page
function colours(names) {
  const probes = names.map(() => Object.assign(document.createElement("span"), { hidden: true }));
  probes.forEach((probe, at) => { probe.style.color = `var(--${names[at]})`; });
  document.body.append(...probes);
  const found = Object.fromEntries(probes.map((probe, at) => [names[at], getComputedStyle(probe).color]));
  for (const probe of probes) probe.remove();
  return found;
}

function read(figure) {
  const rows = [...figure.querySelectorAll("details tbody tr")];
  const heads = [...figure.querySelectorAll("details thead th")].slice(1);
  const moments = rows.map((row) => new Date(row.querySelector("time").dateTime) / 1000);
  const column = (at) => rows.map((row) => row.querySelectorAll("td")[at].dataset.value).map((each) => (each === undefined ? null : Number(each)));
  return { heads, data: [moments, ...heads.map((_, at) => column(at))] };
}

// counts and milliseconds: no axis needs fractions
const WHOLE = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();
const kept = new Map();
// making one costs a hundred times what using it does
function format(kind, language, wanted) {
  const key = JSON.stringify([kind.name, wanted]);
  if (!kept.has(key)) kept.set(key, new kind(language, wanted));
  return kept.get(key);
}
function amount(unit) {
  const whole = format(Intl.NumberFormat, document.documentElement.lang, { maximumFractionDigits: 0 });
  return (value) => (value === null || value === undefined ? t("none") : `${whole.format(Math.round(value))}${unit ? ` ${unit}` : ""}`);
}

// days are those of the table, which begin at midnight UTC
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, DAY = { month: "short", day: "numeric", timeZone: "UTC" };
const LONG = 36 * 3600;
// a value between gaps has no line to either side: without a point of its own it would not be seen
const lonely = (plot, which) => plot.data[which].flatMap((each, at, all) => (each !== null && (all[at - 1] ?? null) === null && (all[at + 1] ?? null) === null ? [at] : []));

function options(figure, heads, data) {
  const shades = heads.map((head) => head.dataset.shade);
  const known = colours([...COLOURS, ...shades, ...shades.map((shade) => `${shade}-soft`)]);
  const { ink, soft, line } = known;
  const told = amount(figure.dataset.unit);
  const long = data[0].at(-1) - data[0][0] > LONG;
  const clock = (at) => format(Intl.DateTimeFormat, [], long ? DAY : CLOCK).format(at * 1000);
  const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: FONT };
  const one = (head, at) => ({
    label: head.textContent, stroke: known[head.dataset.shade], width: 2, dash: at ? [6, 4] : [], spanGaps: false,
    fill: at ? undefined : known[`${head.dataset.shade}-soft`], points: { show: false, filter: lonely, size: 6, fill: known[head.dataset.shade] }, value: (plot, value) => (plot.cursor.idx === null ? "" : told(value)),
  });
  return {
    height: 200, padding: [12, 20, 0, 0], cursor: { drag: { x: false, y: false } },
    axes: [{ ...axis, space: 60, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: 78, incrs: WHOLE, values: (_, ticks) => ticks.map(told) }],
    scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.1] } },
    series: [{ label: t("When"), value: (_, at) => (at ? clock(at) : "") }, ...heads.map(one)],
    legend: { markers: { width: 0, fill: (_, at) => (at ? known[heads[at - 1].dataset.shade] : ink) } },
  };
}

const drawn = new Map();

// what is done for the first time takes long
const measure = () => Object.assign(document.createElement("canvas").getContext("2d"), { font: FONT }).measureText("0");
const ready = soon(learn, measure);

async function draw(figure) {
  await ready;
  const { default: Plot } = await import(figure.dataset.chart);
  await task();
  const place = figure.querySelector(".plot");
  const { heads, data } = read(figure);
  // nothing to draw: the sentence above says so
  place.hidden = !data.slice(1).some((each) => each.some(Boolean));
  if (place.hidden) return;
  const wanted = options(figure, heads, data);
  await task();
  drawn.get(figure)?.destroy();
  drawn.set(figure, new Plot({ ...wanted, width: place.clientWidth }, data, place)); // the window may be another size by now
}

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const plot = drawn.get(target.parentElement);
    // it is told of the first size, too, which is drawn already
    if (plot && plot.width !== target.clientWidth) plot.setSize({ width: target.clientWidth, height: 200 });
  }
});

function start() {
  for (const figure of drawn.keys()) if (!figure.isConnected) { drawn.get(figure).destroy(); drawn.delete(figure); }
  for (const figure of document.querySelectorAll("figure[data-chart]:not([data-ready])")) {
    figure.dataset.ready = "";
    draw(figure).then(() => sizes.observe(figure.querySelector(".plot")));
  }
}
const again = () => { for (const figure of drawn.keys()) draw(figure); };

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
document.addEventListener("htmx:load", start);
start();
