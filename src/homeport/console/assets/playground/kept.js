// Conversations, kept in this tab alone until it is closed or somebody signs out; the server keeps none.
const PLACE = "homeport.conversations";
const MOST = 30;

export function keeper(person) {
  const read = () => {
    try {
      const found = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
      return found?.person === person ? found.all : [];
    } catch { return []; }
  };
  const write = (all) => {
    // what does not fit goes, the oldest first
    for (let some = all.slice(0, MOST); ; some = some.slice(0, -1)) {
      try { sessionStorage.setItem(PLACE, JSON.stringify({ person, all: some })); return; } catch { if (!some.length) return; }
    }
  };
  return {
    all: read,
    find: (id) => read().find((each) => each.id === id),
    save(id, turns) {
      const title = turns[0].content.replace(/\s+/g, " ").slice(0, 80);
      write([{ id, title, at: new Date().toISOString(), turns }, ...read().filter((each) => each.id !== id)]);
    },
    forget(id) { write(id ? read().filter((each) => each.id !== id) : []); },
  };
}
