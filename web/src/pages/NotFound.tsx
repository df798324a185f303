// An address that is no page.
import { Heading } from "../parts/Heading";
import { Link } from "../parts/Link";

export function NotFound() {
  return (
    <>
      <Heading title="No such page" />
      <p>
        There is nothing at this address. <Link to="/">Go to the overview</Link>
      </p>
    </>
  );
}
