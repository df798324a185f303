// The one place that calls the server. Holds the CSRF token, which is no secret to this page, and nothing else.
import { sentence } from "../logic/sentence";
import type { Problem } from "./words";

// The session has ended, or is another one: somebody signed in anew in another tab.
const OVER = new Set(["session_needed", "second_factor_needed", "session_over", "csrf_wrong"]);

/** Why something was not done: what the server said, or that nothing was heard of it. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
    readonly retryAfterS: number,
  ) {
    super(sentence(problem.message));
    this.name = "Refused";
  }

  get code(): string {
    return this.problem.code;
  }

  get isSessionOver(): boolean {
    return OVER.has(this.code);
  }
}

const ELSEWHERE: Problem = { code: "csrf_wrong", message: "You have signed in anew in another tab. Try again." };

const UNREADABLE: Problem = {
  code: "unreadable",
  message: "The answer cannot be read; something between here and the server may have changed it. Try again.",
};

type Listener = () => void;

let csrf = "";
let onSessionOver: Listener = () => undefined;
let onCall: Listener = () => undefined;

export function useToken(token: string): void {
  csrf = token;
}

/** `over` hears that the session has ended, `call` of each call, which keeps a session alive. */
export function listen(over: Listener, call: Listener): void {
  onSessionOver = over;
  onCall = call;
}

/** Call the server; raises Refused. */
export async function call<Answer>(method: string, path: string, form?: object): Promise<Answer> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (form !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      ...(form === undefined ? {} : { body: JSON.stringify(form) }),
    });
    text = await response.text();
  } catch {
    throw unheard(method);
  }
  onCall();
  if (response.ok) return answerOf<Answer>(text);
  const refused = new Refused(response.status, problemOf(response.status, text), waitOf(response));
  if (refused.isSessionOver) onSessionOver();
  throw refused;
}

function answerOf<Answer>(text: string): Answer {
  try {
    return (text ? JSON.parse(text) : undefined) as Answer;
  } catch {
    throw new Refused(0, UNREADABLE, 0);
  }
}

function unheard(method: string): Refused {
  const message =
    method === "GET"
      ? "The server cannot be reached. Try again."
      : "The server did not answer, so it is not known whether this was done. Look before you try again.";
  return new Refused(0, { code: "unreachable", message }, 0);
}

function problemOf(status: number, text: string): Problem {
  try {
    const said: unknown = JSON.parse(text);
    if (isProblem(said)) return said.code === "csrf_wrong" ? ELSEWHERE : said;
  } catch {
    // not ours: a proxy's page, say
  }
  return { code: `status_${status}`, message: `The server answered ${status}.` };
}

function isProblem(said: unknown): said is Problem {
  return typeof said === "object" && said !== null && "message" in said && typeof said.message === "string";
}

function waitOf(response: Response): number {
  const seconds = Number(response.headers.get("Retry-After") ?? "0");
  return Number.isFinite(seconds) ? seconds : 0;
}
