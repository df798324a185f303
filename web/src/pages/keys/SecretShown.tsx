// The secret of a new key, shown this once: to copy, as a file, and in a first request that works as it is.
import type { NewKey } from "../../api/words";
import { type Credential, envText, exampleText } from "../../logic/example";
import { Button } from "../../parts/Button";
import { Copy } from "../../parts/Copy";
import { download } from "../../parts/download";
import { OnceDialog } from "../../parts/OnceDialog";

export function SecretShown(props: { made: NewKey; onClose: () => void }) {
  const { kid, secret, key } = props.made;
  const credential: Credential = { label: key.label, kind: key.kind, kid, secret: secret ?? "" };
  const place = { origin: window.location.origin, host: window.location.host };
  const example = exampleText(credential, place);
  return (
    <OnceDialog
      title={secret === null ? `Your API key ${key.label}` : `Save the secret of ${key.label}`}
      isWide
      saved="I have saved it"
      asks={
        secret === null
          ? "Close when you have taken what you need."
          : "Close only when you have saved the secret: nothing brings it back."
      }
      onSaved={props.onClose}
      onForgotten={props.onClose}
    >
      <p>
        {secret === null
          ? "Requests are signed with your private key, which only you have."
          : "The secret is shown only now. Whoever has it has what the key allows; it belongs into the place where the program keeps its secrets, and nowhere else."}
      </p>
      <dl className="credential">
        <dt id="public-key">Public key</dt>
        <dd>
          <code className="secret" aria-labelledby="public-key">
            {kid}
          </code>
          <Copy text={kid} what="public key" />
        </dd>
        {secret !== null && (
          <>
            <dt id="secret">Secret</dt>
            <dd>
              <code className="secret secret-strong" aria-labelledby="secret">
                {secret}
              </code>
              <Copy text={secret} what="secret" />
            </dd>
          </>
        )}
      </dl>
      <div className="example">
        <h3 id="example">A first request</h3>
        <pre role="region" aria-labelledby="example" tabIndex={0}>
          {example}
        </pre>
        <div className="buttons">
          <Copy text={example} what="example" />
          <Button look="quiet" onClick={() => download(`${key.label}.env`, envText(credential, place))}>
            Download .env
          </Button>
        </div>
      </div>
    </OnceDialog>
  );
}
