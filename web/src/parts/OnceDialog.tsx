// A dialog with what is shown this once. Closing it asks, and so does "Back", which closes it the second time; leaving the page in whatever way forgets what it shows.
import { type ReactNode, useState } from "react";
import { useForgotten } from "../app/leaving";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Notice } from "./Notice";

export function OnceDialog(props: {
  title: string;
  saved: string;
  asks: string;
  isWide?: boolean;
  onSaved: () => void;
  onForgotten: () => void;
  children: ReactNode;
}) {
  const [isAsking, setIsAsking] = useState(false);
  useForgotten(props.onForgotten);
  const back = () => (isAsking ? props.onForgotten() : setIsAsking(true));
  return (
    <Dialog title={props.title} isWide={props.isWide ?? false} onClose={() => setIsAsking(true)} onBack={back}>
      {props.children}
      {isAsking && (
        <Notice tone="mind" role="alert">
          {props.asks}
        </Notice>
      )}
      <div className="buttons buttons-end">
        {isAsking && <Button onClick={props.onForgotten}>Close without saving</Button>}
        <Button look="first" onClick={props.onSaved}>
          {props.saved}
        </Button>
      </div>
    </Dialog>
  );
}
