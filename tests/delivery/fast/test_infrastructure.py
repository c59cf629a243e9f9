"""scripts/infrastructure with the real Terraform on a root module that creates nothing: what was approved is what is applied."""

from conftest import TERRAFORM


def infrastructure(clone, *arguments: str):
    return clone.run("scripts/infrastructure", *arguments, limit=120)


def state(root) -> str:
    file = root / "terraform.tfstate"
    return file.read_text() if file.exists() else ""


def test_changes_that_were_not_agreed_to_are_not_applied(clone, root):
    agreed = infrastructure(clone, "plan", "staging").out.splitlines()[-1].removeprefix("Changes: ")
    (root / "main.tf").write_text(TERRAFORM % "something else")
    done = infrastructure(clone, "apply", "staging", agreed)
    assert done.code == 1 and "nothing is applied" in done.err
    assert state(root) == "" and (clone.folder / "packaged").exists()


def test_what_another_run_has_applied_meanwhile_is_not_applied_again(clone, root):
    agreed = infrastructure(clone, "plan", "staging").out.splitlines()[-1].removeprefix("Changes: ")
    for says in ("", "nothing is left to change"):
        done = infrastructure(clone, "apply", "staging", agreed)
        assert done.code == 0 and says in done.err, done


def test_a_long_plan_fits_into_a_comment(clone, root):
    (root / "main.tf").write_text("".join(f'resource "terraform_data" "r{n}" {{ input = "x" }}\n' for n in range(600)))
    done = infrastructure(clone, "plan", "staging")
    assert done.code == 0 and 20_000 < len(done.out) < 32_000
    assert done.out.startswith("### staging\n") and 'resource "terraform_data" "r1"' in done.out
    assert "Plan: 600 to add, 0 to change, 0 to destroy." in done.out and done.out.count("```") == 2
