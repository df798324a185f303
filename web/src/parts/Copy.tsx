// A button that copies a text, and says that it did.
import { useEffect, useState } from "react";
import { Button } from "./Button";

const SHOWN_MS = 2_500;

export function Copy(props: { text: string; what: string; label?: string }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (!said) return;
    const timer = window.setTimeout(() => setSaid(""), SHOWN_MS);
    return () => window.clearTimeout(timer);
  }, [said]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(props.text);
      setSaid("Copied");
    } catch {
      setSaid("Cannot copy, select it by hand");
    }
  };
  return (
    <span className="copy">
      <Button look="quiet" aria-label={`Copy ${props.what}`} onClick={() => void copy()}>
        {props.label ?? "Copy"}
      </Button>
      <span role="status" className="copy-said">
        {said}
      </span>
    </span>
  );
}
