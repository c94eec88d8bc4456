// The request as a program of one's own would send it.

/** @param {any} request @param {boolean} hasKey */
export function snippets(request, hasKey) {
  const url = new URL("v1/completions", location.href.split("#")[0]).href;
  const json = JSON.stringify(request, null, 2);
  const shell = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`;
  return {
    curl: `curl -N ${shell(url)} \\\n` + (hasKey ? '  -H "Authorization: Bearer $CHORUS_KEY" \\\n' : "") +
      `  -H 'Content-Type: application/json' \\\n  -d ${shell(JSON.stringify({ ...request, stream: true }))}\n`,
    python: `import json${hasKey ? ", os" : ""}, urllib.request

request = json.loads(r"""${json}""")
headers = {"Content-Type": "application/json"${hasKey ? ', "Authorization": "Bearer " + os.environ["CHORUS_KEY"]' : ""}}
with urllib.request.urlopen(urllib.request.Request(
        ${JSON.stringify(url)}, json.dumps(request).encode(), headers)) as answer:
    for choice in json.load(answer)["choices"]:
        print(choice["index"], choice["text"])
`,
    javascript: `const response = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: { "Content-Type": "application/json"${hasKey ? ", Authorization: `Bearer ${process.env.CHORUS_KEY}`" : ""} },
  body: JSON.stringify(${json.replaceAll("\n", "\n  ")}),
});
for (const choice of (await response.json()).choices) console.log(choice.index, choice.text);
`,
  };
}
