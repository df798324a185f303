// What is loaded, or that it is being loaded, or why it could not be.
import type { ReactNode } from "react";
import type { Loaded } from "../app/loaded";
import { Button } from "./Button";
import { Notice } from "./Notice";

export function Awaited<Value>(props: { of: Loaded<Value>; children: (value: Value) => ReactNode }) {
  const { value, failure, reload } = props.of;
  return (
    <>
      {failure && (
        <Notice tone="wrong">
          {failure}{" "}
          <Button look="quiet" onClick={() => void reload()}>
            Try again
          </Button>
        </Notice>
      )}
      {value === null ? !failure && <p className="waiting" role="status">Loading…</p> : props.children(value)}
    </>
  );
}
