// The page: its views, and what they share. docs/serving.md says what a person does with it.
import { askJson } from "./api.js";
import { currentModel, follow, prepareChorus, setModels } from "./chorus.js";
import { find, messageOf, say } from "./dom.js";
import { parseLink } from "./link.js";
import { prepareScore } from "./score.js";
import { closeServer, openServer } from "./server.js";
import { openText, prepareThought } from "./thought.js";
import { prepareTokens } from "./tokens.js";
import { prepareTokensView } from "./tokens_view.js";

const VIEWS = ["chorus", "thought", "score", "tokens", "server"];

/** Shows the view that the fragment names. */
function showView() {
  const named = parseLink(location.hash).view;
  if (named === "main") return; // the link to the content
  const view = VIEWS.includes(named) ? named : "chorus";
  if (find(`view-${view}`).hidden) say(""); // what was said was of another
  for (const one of VIEWS) find(`view-${one}`).hidden = one !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = view === "chorus" ? "Chorus" : `${document.querySelector(`nav a[href="#${view}"]`)?.textContent} · Chorus`;
  if (view === "server") openServer();
  else closeServer();
}

async function loadModels() {
  for (let tries = 0; ; ++tries) {
    const { data } = await askJson("v1/models", undefined, { patient: true });
    if (data.length) {
      setModels(data);
      const first = data[0];
      find("model-line").textContent = `${first.id} · ${(first.parameters / 1e6).toFixed(1)} million parameters · ${first.dtype}`;
      return;
    }
    say("The server is loading its model.");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

prepareTokens();
prepareChorus(openText);
prepareThought(() => currentModel()?.max_model_len ?? 1024);
prepareScore();
prepareTokensView();
addEventListener("hashchange", () => {
  showView();
  const { fields } = parseLink(location.hash);
  if (fields) follow(fields);
});
showView();
try {
  await loadModels();
  const { fields } = parseLink(location.hash);
  if (fields) await follow(fields);
} catch (error) {
  say(messageOf(error));
}
