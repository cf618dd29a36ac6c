// Rules for the pages, each of which is checked as the one module that a browser loads.
import js from "@eslint/js";

/** What the pages use of the browser. A name that is neither declared nor listed here is an error. */
const browser = [
  "AbortController",
  "Blob",
  "DOMParser",
  "Element",
  "HTMLElement",
  "HTMLInputElement",
  "HTMLSelectElement",
  "HTMLTextAreaElement",
  "Node",
  "ResizeObserver",
  "URL",
  "clearTimeout",
  "crypto",
  "document",
  "location",
  "navigator",
  "requestAnimationFrame",
  "setTimeout",
  "window",
];

export default [
  js.configs.recommended,
  {
    languageOptions: {
      ecmaVersion: 2022,
      sourceType: "module",
      globals: Object.fromEntries(browser.map((name) => [name, "readonly"])),
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: "error",
      "no-control-regex": "off", // common.js makes control characters visible
      "no-shadow": "error",
      "no-undef": "error",
      "no-unused-vars": ["error", { varsIgnorePattern: "^_", caughtErrors: "all" }],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
