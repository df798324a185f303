// A password that somebody chooses: typed twice, and compared before it is sent.
import { useState } from "react";

export interface NewPassword {
  password: string;
  again: string;
  differs: string;
  setPassword: (text: string) => void;
  setAgain: (text: string) => void;
  /** Whether both are the same; if they are not, that is said from now on. */
  check: () => boolean;
  clear: () => void;
}

const DIFFERS = "the two passwords are not the same";

export function useNewPassword(): NewPassword {
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [differs, setDiffers] = useState("");
  const check = () => {
    const isSame = password === again;
    setDiffers(isSame ? "" : DIFFERS);
    return isSame;
  };
  const clear = () => {
    setPassword("");
    setAgain("");
    setDiffers("");
  };
  return { password, again, differs, setPassword, setAgain, check, clear };
}
