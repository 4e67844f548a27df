//! Skills of a template: found beside its file, told to the model, loaded by a tool; and clear words where they are not there.

use std::path::{Path, PathBuf};

use seawall_engine::Block;
use seawall_runtime::{Template, Templates};
use seawall_store::agents::CallQuery;

use crate::stage::Stage;

const FILE: &str = "
id: writer
model: { provider: openai, name: sim-1 }
skills: [skills]
";

fn put(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_skill_beside_the_template_is_loaded_by_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let matter = "---\nname: letters\ndescription: Writes letters.\n---\nBegin with the date.\n";
    put(folder.path(), "skills/letters/SKILL.md", matter);
    let file = put(folder.path(), "writer.yaml", FILE);
    let stage = Stage::new();
    stage.runtime.templates().add(Template::parse(FILE, &file).unwrap());
    let id = stage.agent_of("a", "writer", None).await;
    let asked = "sim:tool skills {\"action\":\"load\",\"skill_name\":\"letters\"}\nsim:turn 1 sim:text read";
    assert_eq!(stage.complete(&id, "m1", asked).await.text.as_deref(), Some("read"));
    let calls = CallQuery { agent: Some(id), most: 9, ..CallQuery::default() };
    let result = stage.store.calls(&calls).await.unwrap()[0].call.result.clone().unwrap();
    let Block::Text { text } = &result.content[0] else { panic!("{result:?}") };
    assert!(!result.is_error && text.contains("Begin with the date."), "{text}");
    // A model is told what there is before it asks.
    assert!(stage.last_prompt().contains("- **letters**: Writes letters."));
}

#[test]
fn a_folder_that_is_missing_or_a_skill_that_is_broken_refuses_the_file() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "writer.yaml", FILE);
    let refused = |folders: &[PathBuf]| {
        let errors = Templates::load(folders).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<String>()
    };
    let folders = [folder.path().to_owned()];
    let words = refused(&folders);
    assert!(
        words.contains("there is no folder") && words.contains(folder.path().to_str().unwrap()),
        "{words}"
    );
    put(folder.path(), "skills/letters/SKILL.md", "no name at all");
    let words = refused(&folders);
    assert!(words.contains("letters") && words.contains("SKILL.md has no lines of ---"), "{words}");
    put(folder.path(), "skills/letters/SKILL.md", "---\nname: letters\ndescription: x\n---\n");
    assert_eq!(Templates::load(&folders).unwrap().list().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_not_made_with_a_folder_that_is_gone() {
    let stage = Stage::new();
    for (skills, words) in [("/nonexistent/skills", "there is no folder"), ("skills", "write the whole path")]
    {
        let request = seawall_runtime::CreateAgent {
            template: "openai".to_owned(),
            overrides: Some(serde_json::json!({ "skills": [skills] })),
            ..Default::default()
        };
        let refused = stage.runtime.create(request).await.unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}
