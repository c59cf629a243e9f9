//! Rules for the repository itself.

use std::fs;

fn read(file: &str) -> String {
    fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A reference must always lead to the same image. (Checkov checks those under gitops: CKV_K8S_14.)
#[test]
fn compose_and_the_dockerfile_name_images_by_an_exact_tag() {
    let (compose, dockerfile) = (read("docker-compose.yml"), read("Dockerfile"));
    let used = compose.lines().filter_map(|line| line.trim().strip_prefix("image: "));
    let bases = dockerfile.lines().filter_map(|line| line.strip_prefix("ARG ")?.split_once("_IMAGE=")).map(|(_, image)| image);
    let images: Vec<&str> = used.chain(bases).filter(|image| !image.starts_with(['*', '$'])).collect();
    assert!(images.len() > 4, "{images:?}");
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    for image in images {
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        // Distroless has its release in the name and only variants as tags; the delivery pipeline pins it by digest.
        let exact = image.ends_with("cc-debian12:nonroot")
            || tag.trim_start_matches('v').split(['.', '-']).take(2).filter(is_number).count() == 2;
        assert!(exact, "{image}");
    }
}
