// What first user and invited users have in common: a token that works once, and a password that they choose.
import { useState } from "react";
import type { Entered } from "../../api/words";
import { type NewPassword, useNewPassword } from "../../app/newPassword";
import { forgetToken, go, tokenOfAddress } from "../../app/router";
import { useSession } from "../../app/session";
import { type Task, useTask } from "../../app/task";

export interface Becoming {
  /** The token of the link, empty where there is none and it has to be typed. */
  fromAddress: string;
  token: string;
  setToken: (text: string) => void;
  chosen: NewPassword;
  task: Task;
  submit: () => void;
}

export function useBecoming(enter: (token: string, password: string) => Promise<Entered>): Becoming {
  const { entered } = useSession();
  const fromAddress = tokenOfAddress();
  const [token, setToken] = useState(fromAddress);
  const chosen = useNewPassword();
  const task = useTask();
  const submit = () => {
    if (!chosen.check()) return;
    void task.run(async () => {
      const said = await enter(token.trim(), chosen.password);
      forgetToken();
      go("/", "replace");
      await entered(said);
    });
  };
  return { fromAddress, token, setToken, chosen, task, submit };
}
