// Without a second factor nothing is granted; the way to it leads back to the page that needed it.
import type { ReactNode } from "react";
import { go } from "../app/router";
import { Button } from "./Button";
import { Notice } from "./Notice";

export function NeedsFactor(props: { then: "keys" | "users"; children: ReactNode }) {
  return (
    <Notice tone="mind" title="Two-factor authentication comes first">
      <p>{props.children}</p>
      <Button look="first" onClick={() => go(`/profile/security?then=${props.then}`)}>
        Enable 2FA
      </Button>
    </Notice>
  );
}
