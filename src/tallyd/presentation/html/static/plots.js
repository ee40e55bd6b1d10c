// Draws each chart with uPlot, in the page's colors and the poller's time zone. Its values are in `data-chart`.
"use strict";

(() => {
  const HEIGHT_REM = 18;
  const PAPER_PX = 660;
  const COLORS = 6;
  const DASHES = [[], [8, 5], [2, 4], [10, 4, 2, 4]];
  const WHISKER_PX = 3;
  // By the id of its place: a refresh of the page may put another element there.
  const drawn = new Map();

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);
  const language = document.documentElement.lang;
  const texts = JSON.parse(document.body.dataset.texts);
  const number = (value) => value.toLocaleString(language);

  const MONTHS = [...Array(12).keys()].map((month) =>
    new Date(Date.UTC(2000, month)).toLocaleDateString(language, { month: "short", timeZone: "UTC" }));
  const fmtDate = (template) => uPlot.fmtDate(template, { MMM: MONTHS });

  // A time tick shows the clock; where a new day begins, the day too.
  const TIMES = [
    [31536000, texts.year, null, null, null, null, null, null, 1],
    [2419200, "{MMM}", `\n${texts.year}`, null, null, null, null, null, 1],
    [86400, texts.day, `\n${texts.year}`, null, null, null, null, null, 1],
    [60, "{HH}:{mm}", `\n${texts.day}`, null, `\n${texts.day}`, null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", `\n${texts.day}`, null, `\n${texts.day}`, null, null, null, 1],
  ];

  // Where each place is a day or more, no hour stands beside the axis. The shortest day has 23 hours.
  const SHORTEST_DAY = 82800;
  const DAYS = [1, 2, 3, 4, 5, 7, 10, 15, 30, 60, 90, 180, 365, 730, 1825, 3650].map((each) => each * 86400);

  const SAID = uPlot.fmtDate(`${texts.date} {HH}:{mm}:{ss}`);

  // There are six colors: lines of the same one are told apart by how they are broken.
  const color = (column) => style(`--plot-${(column % COLORS) + 1}`);
  const dash = (column) => DASHES[Math.floor(column / COLORS) % DASHES.length];

  // Returns the points with gaps on both sides, which a line does not show.
  const lonely = (values) =>
    values.flatMap((value, at) =>
      value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null ? [at] : []);

  // Returns a local time; with its offset, if it comes twice because clocks go back over it.
  function timeText(seconds, zone) {
    const text = (at) => SAID(uPlot.tzDate(new Date(at * 1000), zone));
    if (text(seconds - 3600) !== text(seconds) && text(seconds + 3600) !== text(seconds)) return text(seconds);
    const offset = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" })
      .formatToParts(seconds * 1000).find((each) => each.type === "timeZoneName").value;
    return `${text(seconds)} ${offset.replace("GMT", "UTC")}`;
  }

  function spoken(column, at) {
    const value = column.values[at] ?? null;
    if (value === null) return "";
    if (!column.low.length) return number(value);
    const values = { mean: value, least: column.low[at], most: column.high[at] };
    return texts.spread.replace(/\{(\w+)\}/g, (_whole, name) => number(values[name]));
  }

  function seriesOf(chart, hidden) {
    const bars = chart.columns.filter((each) => each.shape === "bars").length;
    return chart.columns.map((column, at) => {
      const own = {
        label: column.name,
        stroke: color(at),
        width: 2,
        show: !hidden.has(column.name),
        value: (_plot, _value, _series, index) => spoken(column, index),
      };
      if (column.shape === "bars") {
        // Two names stand on both sides of their place.
        const align = bars === 1 ? 0 : at === 0 ? -1 : 1;
        const paths = uPlot.paths.bars({ size: [0.8 / bars, 40], align });
        return { ...own, width: 1, fill: `${color(at)}${at ? "33" : "99"}`, paths, points: { show: false } };
      }
      const filter = (_plot, _series, isShown) => (isShown ? null : lonely(column.values));
      const points = column.shape === "line" ? { show: false, size: 5, filter } : { size: 6, fill: color(at), filter };
      return { ...own, dash: dash(at), points };
    });
  }

  function limitOf(limit) {
    const points = { show: false };
    return { label: limit.name, stroke: style("--error"), width: 1, dash: [7, 5], points, value: () => "" };
  }

  // Draws the least and the most of each mean, those of different names side by side.
  function drawWhiskers(plot, chart) {
    const { ctx } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    chart.columns.forEach((column, at) => {
      if (!plot.series[at + 1].show) return;
      const aside = (at - (chart.columns.length - 1) / 2) * WHISKER_PX * ratio;
      ctx.strokeStyle = color(at);
      ctx.lineWidth = ratio;
      ctx.beginPath();
      column.low.forEach((low, index) => {
        if (low === null || low === column.high[index]) return;
        const x = Math.round(plot.valToPos(plot.data[0][index], "x", true) + aside) + 0.5;
        ctx.moveTo(x, plot.valToPos(low, "y", true));
        ctx.lineTo(x, plot.valToPos(column.high[index], "y", true));
      });
      ctx.stroke();
    });
    ctx.restore();
  }

  // Returns the ends of the axis of numbers: it holds zero, all numbers and the limit.
  function endsOf(chart) {
    const known = chart.columns.flatMap((each) => [each.values, each.low, each.high].flat()).filter((each) => each !== null);
    const all = [0, ...known, ...(chart.limit ? [chart.limit.value] : [])];
    const [low, high] = all.reduce(([least, most], each) => [Math.min(least, each), Math.max(most, each)], [0, 0]);
    return uPlot.rangeNum(low, chart.top ?? (high || 1), { min: { pad: low && 0.1, soft: 0, mode: 1 }, max: { pad: chart.top ? 0 : 0.1, soft: 0, mode: 1 } });
  }

  // Returns the smallest time between two places, in seconds.
  function gapOf(chart) {
    const gaps = chart.times.slice(1).map((each, at) => each - chart.times[at]).filter((each) => each > 0);
    return gaps.length ? gaps.reduce((least, each) => Math.min(least, each)) : 0;
  }

  function optionsOf(chart, width, hidden) {
    const isTime = chart.times.length > 0;
    const gap = gapOf(chart);
    // Bars stand in the middle of their room, also the first and the last one. Times in one second have no gap.
    const hasBars = chart.columns.some((each) => each.shape === "bars");
    const aside = !gap ? 1 : hasBars ? gap / 2 : 0;
    const timeRange = (_plot, first, last) => [first - aside, last + aside];
    const timeAxis = { values: TIMES, ...(gap >= SHORTEST_DAY ? { incrs: DAYS } : {}) };
    const font = `${Math.round(0.85 * rem())}px ${style("--font")}`;
    const axis = { stroke: style("--text"), font, grid: { stroke: style("--line"), width: 1 }, ticks: { stroke: style("--line"), width: 1 } };
    const ends = endsOf(chart);
    const nameAxis = {
      incrs: [1, 2, 3, 4, 6, 12, 24, 48, 96],
      values: (_plot, places) => places.map((place) => chart.names[place] ?? ""),
      grid: { show: false },
    };
    const placeText = (_plot, value, _series, index) =>
      isTime ? (value === null ? "" : timeText(value, chart.zone)) : chart.names[index] ?? "";
    return {
      width,
      height: HEIGHT_REM * rem(),
      fmtDate,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), chart.zone),
      cursor: { y: false, drag: { x: isTime, y: false }, focus: { prox: 30 } },
      focus: { alpha: 0.3 },
      legend: { live: true },
      scales: {
        x: isTime ? { time: true, range: timeRange } : { time: false, range: [-0.5, chart.names.length - 0.5] },
        y: { range: () => ends },
      },
      axes: [
        { ...axis, size: (isTime ? 3.2 : 2) * rem(), space: 4 * rem(), ...(isTime ? timeAxis : nameAxis) },
        {
          ...axis,
          size: (_plot, values) => (Math.max(0, ...(values ?? []).map((each) => each.length)) * 0.55 + 1.2) * rem(),
          values: (_plot, values) => values.map((each) => number(each)),
          ...(chart.is_whole ? { incrs: [1, 2, 5].flatMap((each) => [...Array(9).keys()].map((power) => each * 10 ** power)).sort((a, b) => a - b) } : {}),
          ...(chart.unit ? { label: chart.unit, labelSize: 1.4 * rem(), labelFont: font } : {}),
        },
      ],
      series: [
        { label: "\u00a0", value: placeText },
        ...seriesOf(chart, hidden),
        ...(chart.limit ? [limitOf(chart.limit)] : []),
      ],
      hooks: { draw: [(plot) => drawWhiskers(plot, chart)] },
    };
  }

  function draw(place, width) {
    const before = drawn.get(place.id)?.plot;
    const hidden = new Set(before?.series.filter((each) => !each.show).map((each) => each.label));
    before?.destroy();
    const text = place.dataset.chart;
    const chart = JSON.parse(text);
    const places = chart.times.length ? chart.times : [...chart.names.keys()];
    const columns = chart.columns.map((each) => each.values);
    if (chart.limit) columns.push(places.map(() => chart.limit.value));
    const plot = new uPlot(optionsOf(chart, width, hidden), [places, ...columns], place);
    const caption = plot.root.querySelector("table").createCaption();
    caption.textContent = texts.drawn;
    caption.className = "vh";
    drawn.set(place.id, { place, text, plot });
  }

  const places = () => document.querySelectorAll("[data-chart]");

  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const { place, plot } = drawn.get(target.id);
      if (place === target && plot.width !== target.clientWidth) plot.setSize({ width: target.clientWidth, height: plot.height });
    }
  });

  function drawNew() {
    for (const place of places()) {
      const before = drawn.get(place.id);
      if (before?.place === place && before.text === place.dataset.chart) continue;
      draw(place, place.clientWidth);
      resized.observe(place);
      // Without this script the table behind a chart stands open.
      if (!before) place.parentElement.querySelectorAll("details.behind").forEach((each) => { each.open = false; });
    }
  }

  function drawAgain(width) {
    places().forEach((place) => draw(place, width ?? place.clientWidth));
  }

  // On paper, charts are dark on white and as wide as a page, and tables are open.
  const closed = [];
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper");
    document.querySelectorAll("details.behind:not([open])").forEach((each) => {
      closed.push(each);
      each.open = true;
    });
    drawAgain(PAPER_PX);
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    closed.splice(0).forEach((each) => { each.open = false; });
    drawAgain();
  });

  drawNew();
  document.addEventListener("replaced", drawNew);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAgain());
})();
