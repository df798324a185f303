// What a browser calls itself, in the two words that people know it by.

const BROWSERS: readonly [RegExp, string][] = [
  [/Edg\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Firefox\//, "Firefox"],
  [/Chrome\/|Chromium\//, "Chrome"],
  [/Safari\//, "Safari"],
];
const SYSTEMS: readonly [RegExp, string][] = [
  [/iPhone|iPad/, "iOS"],
  [/Android/, "Android"],
  [/Windows/, "Windows"],
  [/Mac OS X|Macintosh/, "macOS"],
  [/Linux/, "Linux"],
];

function named(agent: string, names: readonly [RegExp, string][]): string {
  return names.find(([form]) => form.test(agent))?.[1] ?? "";
}

export function agentText(agent: string): string {
  const browser = named(agent, BROWSERS);
  const system = named(agent, SYSTEMS);
  if (browser) return system ? `${browser} on ${system}` : browser;
  return agent.slice(0, 40) || "unknown";
}
