// Runs beside a page: what the browser finds out here it knows in the page, too.
new Intl.DateTimeFormat([], { dateStyle: "short", timeStyle: "short" });
new Intl.RelativeTimeFormat([], { numeric: "auto" });
new Intl.NumberFormat();
postMessage("learned");
