// Recovery codes, shown this once: after they are put away, nothing brings them back.
import { Button } from "../../parts/Button";
import { Copy } from "../../parts/Copy";
import { download } from "../../parts/download";
import { OnceDialog } from "../../parts/OnceDialog";

export function RecoveryCodes(props: { codes: string[]; onClose: () => void }) {
  const text = `${props.codes.join("\n")}\n`;
  return (
    <OnceDialog
      title="Save your recovery codes"
      saved="I have saved them"
      asks="Close only when you have saved them: they cannot be shown again."
      onSaved={props.onClose}
      onForgotten={props.onClose}
    >
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
    </OnceDialog>
  );
}
