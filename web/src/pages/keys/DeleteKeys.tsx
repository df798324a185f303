// One key deleted, or all: in a dialog that says what goes with it.
import { useMemo } from "react";
import * as calls from "../../api/calls";
import type { Key } from "../../api/words";
import { useDraft } from "../../app/drafts";
import { useLoaded } from "../../app/loaded";
import { countText } from "../../logic/counts";
import { momentText } from "../../logic/times";
import { ChallengeForm } from "../../parts/ChallengeForm";
import { Dialog } from "../../parts/Dialog";
import { Field } from "../../parts/Field";

interface Props {
  of: Key;
  onClose: () => void;
  onDone: () => Promise<void>;
}

export function DeleteKey({ of: key, onClose, onDone }: Props) {
  const now = useLoaded(() => calls.key(key.kid));
  const payload = useMemo(() => ({ kid: key.kid }), [key]);
  return (
    <Dialog title={`Delete ${key.label}?`} onClose={onClose}>
      <p>It can never be used again. Its open sessions end within a second, by REST, WebSocket and FIX.</p>
      <Facts of={now.value ?? key} />
      <ChallengeForm
        action="key.delete"
        payload={payload}
        isReady
        isDanger
        submit="Delete"
        onCancel={onClose}
        onDone={onDone}
      />
    </Dialog>
  );
}

function Facts({ of: key }: { of: Key }) {
  const used = key.last_used ? momentText(key.last_used) : "never";
  return (
    <dl className="credential">
      <dt>Label</dt>
      <dd>{key.label}</dd>
      <dt>Public key</dt>
      <dd>
        <code>{key.kid}</code>
      </dd>
      <dt>Last used</dt>
      <dd>
        {used}
        {key.last_address && ` from ${key.last_address}`}
      </dd>
      {key.open_sessions !== undefined && (
        <>
          <dt>Open sessions</dt>
          <dd>{countText(key.open_sessions, "session")}</dd>
        </>
      )}
      {key.open_orders !== undefined && (
        <>
          <dt>Open orders</dt>
          <dd>{countText(key.open_orders, "order")}</dd>
        </>
      )}
    </dl>
  );
}

export function DeleteAllKeys(props: { count: number; onClose: () => void; onDone: () => Promise<void> }) {
  const [typed, setTyped] = useDraft("key.delete_all", () => "");
  const payload = useMemo(() => ({ count: props.count }), [props.count]);
  return (
    <Dialog title="Delete all API keys?" onClose={props.onClose}>
      <p>
        {props.count === 1 ? "Your one key" : `All ${props.count} of your keys`}, with every certificate bound to them, can never
        be used again. Every open session ends within a second.
      </p>
      <ChallengeForm
        action="key.delete_all"
        payload={payload}
        isReady={typed.trim() === String(props.count)}
        isDanger
        submit="Delete All API Key"
        onCancel={props.onClose}
        onDone={props.onDone}
      >
        <Field
          label="Number of keys"
          inputMode="numeric"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          hint={`type ${props.count} to say that you mean all of them`}
        />
      </ChallengeForm>
    </Dialog>
  );
}
