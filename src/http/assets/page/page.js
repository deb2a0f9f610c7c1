// Keeps the page as it is now: takes over each part that has changed, and draws the latency.
"use strict";

(() => {
  // Longer silence, in milliseconds, means that what is shown is old: there is news each second.
  const SILENCE = 5000;
  // How long to wait, in milliseconds, before asking again where the browser does not by itself.
  const RETRY = 3000;

  const root = document.documentElement;
  const status = document.getElementById("live");
  let source;
  let silence;
  let retry;
  let chart;
  let drawn;

  function follow() {
    clearTimeout(retry);
    source?.close();
    source = new EventSource("updates");
    source.onmessage = (event) => {
      show(JSON.parse(event.data));
      tell("live", "live");
      clearTimeout(silence);
      silence = setTimeout(lose, SILENCE);
    };
    source.onerror = () => {
      lose();
      // Refused for good, as where too many others look.
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(retry);
        retry = setTimeout(follow, RETRY);
      }
    };
  }

  function lose() {
    clearTimeout(silence);
    if (root.dataset.link !== "lost") {
      tell("lost", `connection lost at ${new Date().toLocaleTimeString()}; what is shown is old`);
    }
  }

  function tell(link, text) {
    root.dataset.link = link;
    status.hidden = false;
    if (status.textContent !== text) {
      status.textContent = text;
    }
  }

  function show({ build, parts }) {
    if (build !== root.dataset.build) {
      // Another build has another page.
      location.reload();
      return;
    }
    for (const [id, html] of Object.entries(parts)) {
      const template = document.createElement("template");
      template.innerHTML = html;
      takeChildren(document.getElementById(id), template.content);
    }
    draw();
    document.title = `${document.querySelector("h1").textContent} Kubetally`;
  }

  // Changes what differs and nothing else, so that focus, selection and scrolling stay.
  function take(old, fresh) {
    if (old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
    } else if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) {
        old.nodeValue = fresh.nodeValue;
      }
    } else {
      takeAttributes(old, fresh);
      // What is in the chart is drawn here.
      if (old.id !== "chart") {
        takeChildren(old, fresh);
      }
    }
  }

  function takeAttributes(old, fresh) {
    for (const name of old.getAttributeNames()) {
      if (!fresh.hasAttribute(name)) {
        old.removeAttribute(name);
      }
    }
    for (const name of fresh.getAttributeNames()) {
      if (old.getAttribute(name) !== fresh.getAttribute(name)) {
        old.setAttribute(name, fresh.getAttribute(name));
      }
    }
  }

  function takeChildren(old, fresh) {
    const wanted = [...fresh.childNodes];
    wanted.forEach((node, at) => {
      const known = old.childNodes[at];
      known ? take(known, node) : old.append(node);
    });
    while (old.childNodes.length > wanted.length) {
      old.lastChild.remove();
    }
  }

  function draw() {
    const place = document.getElementById("chart");
    const points = place.dataset.points;
    const parsed = JSON.parse(points);
    if (parsed[0].length < 2 || drawn === points) {
      return;
    }
    drawn = points;
    if (chart) {
      chart.setData(parsed);
    } else {
      chart = new uPlot(looks(place), parsed, place);
    }
  }

  function redraw() {
    chart?.destroy();
    chart = drawn = undefined;
    draw();
  }

  function resize([{ contentRect }]) {
    if (chart && contentRect.width > 0) {
      chart.setSize({ width: contentRect.width, height: chart.height });
    }
  }

  function looks(place) {
    const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
    const milliseconds = (value) =>
      value == null ? "–" : `${+value.toFixed(value < 9.95 ? 1 : 0)} ms`;
    const clock = (seconds, style) => new Date(seconds * 1000).toLocaleTimeString("en-GB", style);
    // Where no pointer is, the legend shows the last point.
    const pointed = (value) => (plot, _, series, at) =>
      value(plot.data[series][at ?? plot.data[series].length - 1]);
    const line = (label, name) => ({
      label,
      stroke: colour(name),
      width: 2,
      points: { show: false },
      value: pointed(milliseconds),
    });
    const axis = {
      stroke: colour("--quiet"),
      font: "12px system-ui, sans-serif",
      grid: { stroke: colour("--hairline"), width: 1 },
      ticks: { show: false },
    };
    const minutes = { hour: "2-digit", minute: "2-digit" };
    return {
      width: place.clientWidth,
      height: 220,
      cursor: { drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        // Five minutes at first, up to all that is kept.
        x: { range: (_, first, last) => [Math.min(first, last - 300), last] },
        y: { range: (_, __, most) => [0, Math.max(1, (most ?? 0) * 1.15)] },
      },
      axes: [
        {
          ...axis,
          size: 28,
          incrs: [60, 300],
          values: (_, all) => all.map((at) => clock(at, minutes)),
        },
        { ...axis, size: 64, values: (_, all) => all.map(milliseconds) },
      ],
      series: [
        { label: "At", value: pointed((at) => clock(at)) },
        line("half within", "--median"),
        line("99 of 100 within", "--slow"),
      ],
    };
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  // Who does not look takes no place of those who do.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(silence);
      clearTimeout(retry);
      source?.close();
    } else {
      follow();
    }
  });

  new ResizeObserver(resize).observe(document.getElementById("chart"));
  draw();
  follow();
})();
