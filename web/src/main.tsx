import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { takeToken } from "./app/router";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/shell.css";
import "./styles/keys.css";

takeToken();
window.addEventListener("hashchange", takeToken);

const root = document.getElementById("page");
if (root === null) throw new Error("index.html has no place for the page");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
