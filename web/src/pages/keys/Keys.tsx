// Profile → "API Management".
import * as calls from "../../api/calls";
import { useLoaded } from "../../app/loaded";
import { useMe } from "../../app/session";
import { Heading } from "../../parts/Heading";
import { KeyList } from "./KeyList";

export function Keys() {
  const me = useMe();
  const keys = useLoaded(calls.keys);
  return (
    <>
      <Heading title="API Management">
        <p className="lead">
          An API key lets a program read, and if you allow it trade, in your name: whoever has its secret has what the
          key allows. Give each program a key of its own, with no more than it needs. Your requests come from{" "}
          <code>{me.address}</code>.
        </p>
      </Heading>
      <KeyList keys={keys} />
    </>
  );
}
