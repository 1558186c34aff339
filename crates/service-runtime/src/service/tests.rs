use super::Service;
use anyhow::bail;
use std::future::pending;
use std::time::Duration;

const GRACE: Duration = Duration::from_millis(100);

async fn wait_for_shutdown(service: Service) -> anyhow::Result<()> {
    service.shutdown().cancelled().await;
    Ok(())
}

#[tokio::test]
async fn a_service_lives_until_its_last_task_is_done() {
    let service = Service::default();
    let tasks = service.clone();
    let application = async move {
        tasks.spawn("short", async { anyhow::Ok(()) });
        tasks.spawn("long", async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            anyhow::Ok(())
        });
        Ok(())
    };
    let began = std::time::Instant::now();
    service.supervise(application, GRACE).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert!(!service.shutdown().is_cancelled());
}

#[tokio::test]
async fn an_error_of_a_task_ends_the_service_and_lets_the_others_finish() {
    let service = Service::default();
    let tasks = service.clone();
    let application = async move {
        tasks.spawn("bystander", wait_for_shutdown(tasks.clone()));
        tasks.spawn("spool", async { bail!("the disk is gone") });
        wait_for_shutdown(tasks).await
    };
    let error = service.supervise(application, GRACE).await.expect_err("spool failed");
    assert_eq!(format!("{error:#}"), "spool failed: the disk is gone");
}

#[tokio::test]
async fn a_panic_of_a_task_ends_the_service() {
    let service = Service::default();
    let tasks = service.clone();
    let application = async move {
        tasks.spawn("sensor", async {
            assert!(std::env::args().len() > 1_000, "seven is not eight");
            anyhow::Ok(())
        });
        wait_for_shutdown(tasks).await
    };
    let error = service.supervise(application, GRACE).await.expect_err("sensor panicked");
    assert_eq!(format!("{error:#}"), "sensor panicked: seven is not eight");
}

#[tokio::test]
async fn an_error_of_the_application_ends_the_service() {
    let service = Service::default();
    let error = service.supervise(async { bail!("no kernel") }, GRACE).await;
    assert_eq!(format!("{:#}", error.expect_err("it failed")), "the application failed: no kernel");
}

#[tokio::test]
async fn what_does_not_drain_in_time_is_named() {
    let service = Service::default();
    let tasks = service.clone();
    let application = async move {
        tasks.spawn("good", wait_for_shutdown(tasks.clone()));
        tasks.spawn("stuck", pending::<anyhow::Result<()>>());
        tasks.shutdown().cancel();
        Ok(())
    };
    let error = service.supervise(application, GRACE).await.expect_err("a task is stuck");
    let message = error.to_string();
    assert!(message.contains("stuck") && !message.contains("good"), "{message}");
    assert!(!service.readiness().report().0, "a service that ends is not ready");
}
