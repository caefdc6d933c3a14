// A file of text beside the message: read here, looked at, and sent with what is asked.
import { make, press } from "./parts.js";

const MOST = 400_000;

async function textOf(file) {
  if (file.size > MOST) throw new Error(`${file.name} has ${Math.round(file.size / 1000)} kB; ${MOST / 1000} kB are the most.`);
  const text = await file.text().catch(() => { throw new Error(`${file.name} cannot be read.`); });
  if (text.includes("\0") || text.includes("\uFFFD")) throw new Error(`${file.name} is no text in UTF-8.`);
  if (!text.trim()) throw new Error(`${file.name} is empty.`);
  return text;
}

export function attaching(form, tell) {
  const { picker, file, code, message } = form.elements;
  const shown = form.querySelector("[data-attached]");
  const remove = () => {
    file.value = code.value = picker.value = "";
    show();
    tell("Removed.");
    message.focus();
  };
  const show = () => {
    const lines = code.value ? code.value.replace(/\n$/, "").split("\n").length : 0;
    shown.hidden = !lines;
    const words = `${file.value || "Code"} · ${lines.toLocaleString("en")} line${lines === 1 ? "" : "s"} go with the message`;
    shown.replaceChildren(make("span", "", words), press("Remove", "quiet", remove));
  };
  const take = async (picked) => {
    try {
      const text = await textOf(picked);
      file.value = picked.name.slice(0, 200);
      code.value = text;
      tell(`${picked.name} is attached.`);
    } catch (error) { tell(error.message); picker.value = ""; }
    show();
    message.focus();
  };
  picker.addEventListener("change", () => { if (picker.files[0]) take(picker.files[0]); });
  form.querySelector("[data-attach]").addEventListener("click", () => picker.click());
  form.addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("Files")) event.preventDefault(); });
  form.addEventListener("drop", (event) => {
    if (event.dataTransfer.files[0]) { event.preventDefault(); take(event.dataTransfer.files[0]); }
  });
  for (const each of [file, code]) each.addEventListener("change", show);
  show();
}
