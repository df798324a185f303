// Without a second factor nothing is granted; the way to it leads back here.
import { go } from "../../app/router";
import { Button } from "../../parts/Button";
import { Notice } from "../../parts/Notice";

export function NeedsFactor() {
  return (
    <Notice tone="mind" title="Two-factor authentication comes first">
      <p>API keys are made, changed and deleted with a code by mail and one of your authenticator together.</p>
      <Button look="first" onClick={() => go("/profile/security?then=keys")}>
        Enable 2FA
      </Button>
    </Notice>
  );
}
