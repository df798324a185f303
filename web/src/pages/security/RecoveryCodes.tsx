// Recovery codes, shown this once: after they are put away, nothing brings them back.
import { useState } from "react";
import { useForgotten } from "../../app/leaving";
import { Button } from "../../parts/Button";
import { Copy } from "../../parts/Copy";
import { Dialog } from "../../parts/Dialog";
import { download } from "../../parts/download";
import { Notice } from "../../parts/Notice";

export function RecoveryCodes(props: { codes: string[]; onSaved: () => void; onForgotten: () => void }) {
  const [isAsking, setIsAsking] = useState(false);
  useForgotten(props.onForgotten);
  const text = `${props.codes.join("\n")}\n`;
  return (
    <Dialog title="Save your recovery codes" onClose={() => setIsAsking(true)}>
      <p>
        Two-factor authentication is on. Each of these codes stands in for your authenticator once. They are shown only
        now.
      </p>
      <ul className="recovery" aria-label="Recovery codes">
        {props.codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div className="buttons">
        <Copy text={text} what="recovery codes" />
        <Button look="quiet" onClick={() => download("fairlead-recovery-codes.txt", text)}>
          Download
        </Button>
      </div>
      {isAsking && (
        <Notice tone="mind" role="alert">
          Close only when you have saved them: they cannot be shown again.
        </Notice>
      )}
      <div className="buttons buttons-end">
        <Button look="first" onClick={props.onSaved}>
          I have saved them
        </Button>
      </div>
    </Dialog>
  );
}
