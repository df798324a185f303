// What has become of a code that was asked for. It is good for exactly what the form said when it was sent.

export type Phase =
  | { is: "none" }
  | { is: "sent"; challenge: string; sentTo: string; untilMs: number; payload: string }
  | { is: "void"; why: string };

export type Event =
  | { is: "sent"; challenge: string; sentTo: string; untilMs: number; payload: string }
  | { is: "late" }
  | { is: "form"; payload: string }
  | { is: "refused"; code: string; message: string };

export const CHANGED =
  "You have changed something since the code was sent, so that code is useless now. Send a new code.";

export const LATE = "The code that was sent is too old now. Send a new code.";

// The one refusal that leaves the codes as they were; five of them end the challenge, which the server says.
const LEAVES_IT = "code_wrong";

export function next(phase: Phase, event: Event): Phase {
  switch (event.is) {
    case "sent":
      return { ...event };
    case "late":
      return phase.is === "sent" ? { is: "void", why: LATE } : phase;
    case "form":
      return phase.is === "sent" && phase.payload !== event.payload ? { is: "void", why: CHANGED } : phase;
    case "refused":
      if (phase.is !== "sent" || event.code === LEAVES_IT) return phase;
      return { is: "void", why: event.message };
  }
}

/** An address as only those know it whose it is; the server masks it alike. */
export function masked(email: string): string {
  const at = email.indexOf("@");
  return `${email.slice(0, 1)}***@${email.slice(at + 1)}`;
}

/** A code as it may be typed or pasted: `1234 5678`. */
export function plainCode(text: string): string {
  return text.replace(/\s/g, "");
}
