// Builds the page into the Python package. No plugin that fetches anything; the result depends on
// the sources and package-lock.json alone, so that CI can compare it with what is committed.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { defineConfig, type Plugin } from "vite";

const STYLE = /<style[\s\S]*?<\/style>/;

/** wavesurfer.js writes a <style> element, which the page's content security policy forbids; its
 * rules are in src/components/waveform.css. */
function withoutInlineStyle(): Plugin {
  return {
    name: "without-inline-style",
    transform(code, id) {
      if (!id.includes("wavesurfer.js/dist/wavesurfer")) return null;
      if (!STYLE.test(code)) this.error("wavesurfer.js no longer has the style that is to go");
      return { code: code.replace(STYLE, ""), map: null };
    },
  };
}

function packageOf(id: string): string | null {
  if (!id.includes("/node_modules/")) return null;
  let folder = dirname(id.replace(/^\0/, "").replace(/\?.*$/, ""));
  while (folder.includes("/node_modules/")) {
    try {
      if (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version) return folder;
    } catch {
      // not the package's own folder: go on upwards
    }
    folder = dirname(folder);
  }
  return null;
}

/** NOTICE.txt: the licences of all that the built files contain. */
function notice(): Plugin {
  return {
    name: "notice",
    generateBundle(_options, bundle) {
      const folders = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        for (const id of Object.keys(chunk.modules)) {
          const folder = packageOf(id);
          if (folder) folders.add(folder);
        }
      }
      const entries = [...folders].map((folder) => {
        const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
        const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
        if (!file) this.error(`${about.name} has no licence file`);
        const text = readFileSync(join(folder, file as string), "utf8").trim();
        return `${about.name} ${about.version} (${about.license})\n\n${text}\n`;
      });
      const head = "The files beside this one are built from Earmark's own page (MIT) and from:\n";
      const source = [head, ...entries.sort()].join(`\n${"-".repeat(78)}\n\n`);
      this.emitFile({ type: "asset", fileName: "NOTICE.txt", source });
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [withoutInlineStyle(), notice()],
  build: {
    outDir: "../src/earmark/web/page/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
});
