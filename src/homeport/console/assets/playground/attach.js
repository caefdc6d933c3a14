// A file of text beside the message: read here, looked at, and sent with what is asked.
import { make, press } from "./parts.js";

const MOST = 400_000;

async function textOf(file) {
  if (file.size > MOST) throw new Error(t("{file} has {size} kB; {most} kB are the most.", { file: file.name, size: Math.round(file.size / 1000), most: MOST / 1000 }));
  const text = await file.text().catch(() => { throw new Error(t("{file} cannot be read.", { file: file.name })); });
  if (text.includes("\0") || text.includes("\uFFFD")) throw new Error(t("{file} is no text in UTF-8.", { file: file.name }));
  if (!text.trim()) throw new Error(t("{file} is empty.", { file: file.name }));
  return text;
}

export function attaching(form, tell) {
  const { picker, file, code, message } = form.elements;
  const shown = form.querySelector("[data-attached]");
  const remove = () => {
    file.value = code.value = picker.value = "";
    show();
    tell(t("Removed."));
    message.focus();
  };
  const show = () => {
    const lines = code.value ? code.value.replace(/\n$/, "").split("\n").length : 0;
    shown.hidden = !lines;
    const name = file.value || t("Code");
    const words = tn("{file} · {lines} line go with the message", "{file} · {lines} lines go with the message", lines, { file: name, lines: lines.toLocaleString(document.documentElement.lang) });
    shown.replaceChildren(make("span", "", words), press(t("Remove"), "quiet", remove));
  };
  const take = async (picked) => {
    try {
      const text = await textOf(picked);
      file.value = picked.name.slice(0, 200);
      code.value = text;
      tell(t("{file} is attached.", { file: picked.name }));
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
