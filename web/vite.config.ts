import { loadEnv } from "vite";
import { defineConfig } from "vitest/config";

// `npm run dev` passes calls on to the system at FAIRLEAD_URL.
const { FAIRLEAD_URL = "http://127.0.0.1:3080" } = loadEnv("development", ".", "FAIRLEAD_");

// Everything is a file of its own with its hash in its name: the Content-Security-Policy allows nothing inline.
export default defineConfig({
  base: "/console/",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    license: { fileName: "licenses.txt" },
    target: "es2022",
  },
  server: { host: "127.0.0.1", proxy: { "/v1": { target: FAIRLEAD_URL } } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
