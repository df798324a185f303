// Profile → "API Management".
import { useState } from "react";
import * as calls from "../../api/calls";
import type { NewKey } from "../../api/words";
import { useErased } from "../../app/leaving";
import { useLoaded } from "../../app/loaded";
import { useMe } from "../../app/session";
import { Heading } from "../../parts/Heading";
import { NeedsFactor } from "../../parts/NeedsFactor";
import { Notice } from "../../parts/Notice";
import { AddKey } from "./AddKey";
import { CertificateShown, type IssuedCertificate } from "./CertificateShown";
import { KeyList } from "./KeyList";
import { SecretShown } from "./SecretShown";

export function Keys() {
  const me = useMe();
  const keys = useLoaded(calls.keys);
  const [made, setMade] = useState<NewKey | null>(null);
  const [issued, setIssued] = useState<IssuedCertificate | null>(null);
  useErased(made);
  useErased(issued);
  const [said, setSaid] = useState("");
  const [round, setRound] = useState(0); // a new form for each key
  const isNew = (key: NewKey, text: string) => {
    setMade(key);
    void keys.reload().then(() => setSaid(text));
  };
  return (
    <>
      <Heading title="API Management">
        <p className="lead">
          An API key lets a program act for you, by REST, WebSocket and FIX: read, and if you allow it trade. Whoever has
          its secret has what the key allows, so give each program a key of its own, with no more than it needs.
        </p>
        <p className="lead">
          Your requests come from <code>{me.address}</code>.
        </p>
      </Heading>
      {!me.two_factor && (
        <NeedsFactor then="keys">
          API keys are made, changed and deleted with a code by mail and one of your authenticator together.
        </NeedsFactor>
      )}
      {said && <Notice tone="good">{said}</Notice>}
      <AddKey
        key={round}
        onDone={(key) => {
          setRound(round + 1);
          isNew(key, `${key.key.label} is added.`);
        }}
      />
      <KeyList
        keys={keys}
        onSaid={setSaid}
        onNew={isNew}
        onIssued={(certificate) => {
          setIssued(certificate);
          setSaid(`A certificate for ${certificate.label} is issued.`);
        }}
      />
      {made && <SecretShown made={made} onClose={() => setMade(null)} />}
      {issued && <CertificateShown issued={issued} onClose={() => setIssued(null)} />}
    </>
  );
}
